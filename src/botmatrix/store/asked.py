"""Calls from code become executions, many in one statement, once for each id."""

# ruff: noqa: S608 - only names of our own are put into statements

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from botmatrix.skills.model import SkillAsk
from botmatrix.store.engine import Database
from botmatrix.store.executions import CLAIM_SECONDS, COLUMNS, LOOK, Seen

_MAKE: Final = (
    "WITH asked AS MATERIALIZED (SELECT nextval(pg_get_serial_sequence('tasks', 'id')) AS task, a.*"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::float[], $5::text[])"
    " AS a (id, skill, params, deadline, creator)"
    " WHERE NOT EXISTS (SELECT 1 FROM executions WHERE execution_id = a.id)),"
    " tasks AS (INSERT INTO tasks (id, name, type, action_type, action_params, hidden, creator)"
    " SELECT task, skill, 'once', 'skill_call', params::jsonb, true, creator FROM asked)"
    " INSERT INTO executions (task_id, execution_id, skill, params, status, deadline, due_at)"
    " SELECT task, id, skill, params::jsonb, 'dispatching', to_timestamp(deadline),"
    f" now() + make_interval(secs => {CLAIM_SECONDS}) FROM asked"
    f" RETURNING {COLUMNS}"
)


class AskedExecutions:
    """Raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, asks: Sequence[SkillAsk]) -> tuple[list[Seen], list[Seen]]:
        """Those that are new, claimed for who asks here, and those that are known by their ids."""
        by_id = {one.execution_id: one for one in asks}
        rows = await self._database.rows(
            _MAKE,
            list(by_id),
            [one.skill for one in by_id.values()],
            [json.dumps({**one.params, "skill": one.skill}) for one in by_id.values()],
            [one.deadline for one in by_id.values()],
            [one.caller for one in by_id.values()],
        )
        made = [Seen(*row) for row in rows]
        if known := by_id.keys() - {one.execution_id for one in made}:
            return made, [Seen(*row) for row in await self._database.rows(LOOK, list(known))]
        return made, []
