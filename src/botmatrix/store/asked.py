"""Calls from code become executions, many in one statement, once for each id."""

# ruff: noqa: S608 - only names of our own are put into statements

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION
from sqlalchemy.types import String

from botmatrix.skills.model import SkillAsk
from botmatrix.store.engine import Database
from botmatrix.store.executions import CLAIM_SECONDS, COLUMNS, Seen

_MAKE: Final = text(
    "WITH asked AS MATERIALIZED (SELECT nextval(pg_get_serial_sequence('tasks', 'id')) AS task, a.*"
    " FROM unnest(:ids, :skills, :params, :deadlines, :creators) AS a (id, skill, params, deadline, creator)"
    " WHERE NOT EXISTS (SELECT 1 FROM executions WHERE execution_id = a.id)),"
    " tasks AS (INSERT INTO tasks (id, name, type, action_type, action_params, hidden, creator)"
    " SELECT task, skill, 'once', 'skill_call', params::jsonb, true, creator FROM asked)"
    " INSERT INTO executions (task_id, execution_id, skill, params, status, deadline, due_at)"
    " SELECT task, id, skill, params::jsonb, 'dispatching', to_timestamp(deadline),"
    " now() + make_interval(secs => :seconds) FROM asked"
    f" RETURNING {COLUMNS}"
).bindparams(
    *(bindparam(name, type_=ARRAY(String)) for name in ("ids", "skills", "params", "creators")),
    bindparam("deadlines", type_=ARRAY(DOUBLE_PRECISION)),
)
_KNOWN: Final = text(f"SELECT {COLUMNS} FROM executions WHERE execution_id = ANY(:ids)").bindparams(
    bindparam("ids", type_=ARRAY(String))
)


class AskedExecutions:
    """Raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, asks: Sequence[SkillAsk]) -> tuple[list[Seen], list[Seen]]:
        """Those that are new, claimed for who asks here, and those that are known by their ids."""
        by_id = {one.execution_id: one for one in asks}
        ids = list(by_id)
        given = {
            "ids": ids,
            "skills": [one.skill for one in by_id.values()],
            "params": [json.dumps({**one.params, "skill": one.skill}) for one in by_id.values()],
            "deadlines": [one.deadline for one in by_id.values()],
            "creators": [one.caller for one in by_id.values()],
        }
        async with self._database.connection() as connection:
            made = [Seen(*row) for row in await connection.execute(_MAKE, {**given, "seconds": CLAIM_SECONDS})]
            known = [id for id in ids if id not in {one.execution_id for one in made}]
            if not known:
                return made, []
            return made, [Seen(*row) for row in await connection.execute(_KNOWN, {"ids": known})]
