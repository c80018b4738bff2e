"""Executions that are done by bots: looked after while they run, ended by what became of their action.

An action has an id of its own for each try, so whoever takes an execution over asks after that very action.
"""

# ruff: noqa: S608 - only names of our own are put into statements

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import String

from botmatrix.store.engine import Database
from botmatrix.store.executions import COLUMNS, FAILED, Seen, clean

LOOK_SECONDS: Final = 1
"""After which a running action is looked at again."""

_WATCHED: Final = text(
    "UPDATE executions SET due_at = now() + make_interval(secs => :seconds)"
    " WHERE id IN (SELECT id FROM executions WHERE action_type <> 'skill_call'"
    " AND (status = 'running' AND due_at <= now()"
    " OR status IN ('running', 'dispatching') AND execution_id = ANY(:told))"
    " ORDER BY due_at LIMIT :count FOR UPDATE SKIP LOCKED)"
    f" RETURNING {COLUMNS}"
).bindparams(bindparam("told", type_=ARRAY(String)))
_MINE: Final = "execution_id = :id AND retry_count = :retry AND status IN ('dispatching', 'running')"
_ENDED: Final = "result = :result, error = :error, actual_time = now()"
_SUCCEED: Final = text(f"UPDATE executions SET status = 'success', {_ENDED} WHERE {_MINE} RETURNING execution_id")
_FAIL: Final = text(f"UPDATE executions SET {FAILED}, {_ENDED} WHERE {_MINE} RETURNING execution_id")
_GIVE_UP: Final = text(f"UPDATE executions SET status = 'failed', {_ENDED} WHERE {_MINE} RETURNING execution_id")
_CANCEL: Final = text(
    "UPDATE executions SET status = 'failed', error = :error, actual_time = now(), next_retry_time = NULL"
    " WHERE execution_id = :id AND (status IN ('pending', 'dispatching', 'running') OR next_retry_time IS NOT NULL)"
    f" RETURNING {COLUMNS}"
)


@dataclass(frozen=True, slots=True)
class End:
    """How one try of an execution ended. `again`: when it failed, it may be tried again."""

    execution_id: str
    retry_count: int
    ok: bool
    result: str = ""
    error: str = ""
    again: bool = True


class Attempts:
    """Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def watched(self, count: int, told: Collection[str] = ()) -> list[Seen]:
        """Running actions to look at now, those that somebody told of first of all; nobody else gets them for 1 s."""
        about = {"count": count + len(told), "seconds": LOOK_SECONDS, "told": list(told)}
        async with self._database.statements() as connection:
            return [Seen(*row) for row in await connection.execute(_WATCHED, about)]

    async def end(self, ends: Sequence[End]) -> list[str]:
        """End these tries; the executions that it changed. A try that is over already is left as it is."""
        changed = []
        async with self._database.connection() as connection:
            for one in sorted(ends, key=lambda one: one.execution_id):  # in one order, so that no two wait for another
                statement = _SUCCEED if one.ok else _FAIL if one.again else _GIVE_UP
                about = {"id": one.execution_id, "retry": one.retry_count}
                said = {"result": clean(one.result), "error": clean(one.error)}
                changed.append(await connection.scalar(statement, {**about, **said}))
        return [str(one) for one in changed if one]

    async def cancel(self, execution_id: str, reason: str) -> Seen | None:
        """End an execution that has not ended, or waits to be tried again; None: there is none such."""
        async with self._database.statements() as connection:
            found = await connection.execute(_CANCEL, {"id": clean(execution_id), "error": clean(reason)})
            row = found.one_or_none()
            return Seen(*row) if row else None
