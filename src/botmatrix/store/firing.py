"""Setting tasks off: whatever the number of processes, each moment and each event makes its executions once.

A process reads which tasks are due, works out when they come again, and then, in one statement, moves each task on and
makes its executions, provided that the task still waits for that very moment. Nothing is held between the two, so a
process that is paused keeps nobody from going on, and finds when it wakes that its moments were taken. That two
executions have one cause is impossible besides: `(task_id, cause)` is unique.

Time is the database's: the clocks of the processes do not matter.
"""

# ruff: noqa: S608 - only names of our own are put into statements

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.types import BigInteger, String

from botmatrix.store.engine import Database
from botmatrix.store.executions import clean

MOST_TARGETS: Final = 1000
"""Groups and friends that one fire may reach by tags."""

_MAKE: Final = (
    ", reached AS (SELECT fired.id, found.type, found.target_id FROM fired JOIN LATERAL ("
    "SELECT DISTINCT type, target_id FROM tags WHERE name = ANY(fired.tags)"
    " AND platform = split_part(fired.params ->> 'bot_id', ':', 1)"
    " AND (type = 'group' OR fired.action_type = 'send_message')"
    f" ORDER BY type, target_id LIMIT {MOST_TARGETS}) AS found ON true)"
    " INSERT INTO executions (task_id, execution_id, cause, action_type, skill, params, status, error, actual_time,"
    " trigger_time, deadline, max_retries, retry_delay, time_limit)"
    " SELECT fired.id, gen_random_uuid()::text, cause || coalesce(' for ' || reached.type || ' ' || target_id, ''),"
    " action_type, coalesce(params ->> 'skill', ''),"
    " params || CASE reached.type WHEN 'group' THEN jsonb_build_object('group_id', target_id)"
    " WHEN 'friend' THEN jsonb_build_object('user_id', target_id) ELSE '{}' END,"
    " CASE WHEN tags <> '{}' AND target_id IS NULL THEN 'failed' ELSE 'pending' END,"
    " CASE WHEN tags <> '{}' AND target_id IS NULL THEN 'no group or friend of this platform has one of its tags'"
    " ELSE '' END,"
    " CASE WHEN tags <> '{}' AND target_id IS NULL THEN now() END,"
    " moment, now() + make_interval(secs => time_limit), max_retries, retry_delay, time_limit"
    " FROM fired LEFT JOIN reached ON reached.id = fired.id"
    " ON CONFLICT (task_id, cause) DO NOTHING RETURNING execution_id"
)
_FIRED: Final = "tags, action_type, max_retries, retry_delay, time_limit"
_DUE: Final = text(
    "SELECT id, type, trigger_config, time_zone, next_run_time, updated_at, now() AS now FROM tasks"
    " WHERE status = 'pending' AND next_run_time <= now() ORDER BY next_run_time LIMIT :count"
)
_SOON: Final = text(
    "SELECT extract(epoch FROM min(next_run_time) - now()) FROM tasks"
    " WHERE status = 'pending' AND next_run_time IS NOT NULL"
)
_FIRE: Final = text(
    "WITH due AS (SELECT * FROM unnest(:ids, :moments, :versions, :nexts, :causes)"
    " AS given (id, moment, version, next, cause)),"
    " held AS (SELECT tasks.id, due.moment, due.next, due.cause FROM tasks JOIN due ON due.id = tasks.id"
    " WHERE tasks.status = 'pending' AND tasks.next_run_time = due.moment AND tasks.updated_at = due.version"
    " FOR UPDATE OF tasks SKIP LOCKED),"
    " fired AS (UPDATE tasks SET next_run_time = held.next, last_run_time = now(), status = CASE"
    " WHEN held.next IS NOT NULL THEN status WHEN type = 'cron' THEN 'disabled' ELSE 'completed' END"
    f" FROM held WHERE tasks.id = held.id RETURNING tasks.id, moment, cause, action_params AS params, {_FIRED})" + _MAKE
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    *(bindparam(name, type_=ARRAY(TIMESTAMP(timezone=True))) for name in ("moments", "versions", "nexts")),
    bindparam("causes", type_=ARRAY(String)),
)
_MEET: Final = text(
    "WITH fired AS (UPDATE tasks SET last_run_time = now() WHERE id = :id AND status = 'pending'"
    " AND type = 'condition' AND (last_run_time IS NULL OR last_run_time <= now() -"
    " make_interval(secs => coalesce(CAST(trigger_config ->> 'cooldown' AS float), 0)))"
    f" RETURNING id, now() AS moment, CAST(:cause AS varchar) AS cause, CAST(:params AS jsonb) AS params, {_FIRED})"
    + _MAKE
).bindparams(bindparam("params", type_=JSONB))
_RUN: Final = text(
    "WITH fired AS (UPDATE tasks SET last_run_time = now() WHERE id = :id AND NOT hidden"
    f" RETURNING id, now() AS moment, CAST(:cause AS varchar) AS cause, action_params AS params, {_FIRED})" + _MAKE
)


@dataclass(frozen=True, slots=True)
class Due:
    """A task whose moment has come, by the database's clock."""

    id: int
    type: str
    trigger_config: dict[str, Any]
    time_zone: str
    moment: datetime
    version: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Fire:
    """A due task is set off; `next`: when it comes again, None: never."""

    due: Due
    next: datetime | None


class Firing:
    """Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, count: int) -> tuple[list[Due], float | None]:
        """Tasks to be set off now; when there are none, in how many seconds the next one comes (None: none does)."""
        async with self._database.statements() as connection:
            found = [Due(*row) for row in await connection.execute(_DUE, {"count": count})]
            soon = None if found else await connection.scalar(_SOON)
            return found, None if soon is None else float(soon)

    async def fire(self, fires: Sequence[Fire]) -> int:
        """Set off those that nobody else has; says how many executions were made."""
        about = {
            "ids": [one.due.id for one in fires],
            "moments": [one.due.moment for one in fires],
            "versions": [one.due.version for one in fires],
            "nexts": [one.next for one in fires],
            "causes": [f"schedule {one.due.moment.isoformat()}" for one in fires],
        }
        async with self._database.statements() as connection:
            return len((await connection.execute(_FIRE, about)).all())

    async def meet(self, task_id: int, cause: str, params: Mapping[str, Any]) -> int:
        """An event met the condition of a task, unless it rests; says how many executions were made."""
        about = {"id": task_id, "cause": clean(cause), "params": dict(params)}
        async with self._database.statements() as connection:
            return len((await connection.execute(_MEET, about)).all())

    async def run(self, task_id: int, who: str) -> list[str]:
        """Set a task off now, whatever its trigger; the ids of its executions. None when there is no such task."""
        about = {"id": task_id, "cause": clean(f"run by {who}, {uuid4().hex[:8]}")}
        async with self._database.statements() as connection:
            return [str(row[0]) for row in await connection.execute(_RUN, about)]
