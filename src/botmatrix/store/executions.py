"""Executions of tasks: made, claimed, sent, ended. Each step is one statement, so any number of processes may take it.

A state only moves on while it is open: what has ended is never changed again.
"""

# ruff: noqa: S608 - only names of our own are put into statements

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

from sqlalchemy import text

from botmatrix.skills.model import SkillCall, SkillResult, State
from botmatrix.store.engine import Database
from botmatrix.store.together import Together

CLAIM_SECONDS: Final = 15
"""How long a nexus has from claiming an execution to having it on a lane."""
WAIT_SECONDS: Final = 1
"""After which an execution without a worker is looked at again."""
HEAD_START: Final = 1
"""How long a nexus that was told of a call has to put it on a lane, before nexuses find it here."""
KEPT_DAYS: Final = 7
"""For how long calls that ended are kept."""
HISTORY_DAYS: Final = 30
"""For how long executions of tasks that somebody made are kept."""

COLUMNS: Final = (
    "task_id, execution_id, skill, params, status, worker_id, declined, attempt, result, error, "
    "trigger_time, actual_time, deadline, action_type, cause, retry_count, max_retries, next_retry_time"
)
_OPEN: Final = "status IN ('pending', 'dispatching', 'running')"
_DEAD: Final = "retry_count >= max_retries AND max_retries > 0 THEN 'dead' ELSE 'failed' END"
_AGAIN: Final = (
    "retry_count < max_retries THEN now() + make_interval(secs => retry_delay * (retry_count + 1) * (retry_count + 1))"
)
FAILED: Final = f"status = CASE WHEN {_DEAD}, next_retry_time = CASE WHEN {_AGAIN} END"
"""What a failed try sets: the n-th retry comes n * n times the delay later; after the last one it is dead."""
_MAKE: Final = (
    "WITH given AS MATERIALIZED (SELECT nextval(pg_get_serial_sequence('tasks', 'id')) AS task, g.*"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::float[], $5::text[])"
    " AS g (id, skill, params, seconds, creator)),"
    " tasks AS (INSERT INTO tasks (id, name, type, action_type, action_params, hidden, creator)"
    " SELECT task, skill, 'once', 'skill_call', params::jsonb, true, creator FROM given)"
    " INSERT INTO executions (task_id, execution_id, skill, params, status, deadline, time_limit, due_at)"
    " SELECT task, id, skill, params::jsonb, 'pending', now() + make_interval(secs => seconds), seconds,"
    f" now() + make_interval(secs => {HEAD_START}) FROM given"
    f" RETURNING {COLUMNS}"
)
_CLAIM: Final = (
    f"UPDATE executions SET status = 'dispatching', due_at = now() + make_interval(secs => {CLAIM_SECONDS})"
    " WHERE id IN (SELECT id FROM executions WHERE status IN ('pending', 'dispatching') AND due_at <= now()"
    " AND deadline > now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)"
    f" RETURNING {COLUMNS}"
)
# Rows are locked in one order everywhere: two nexuses that hold one each wait for each other forever.
_LOCKED: Final = "locked AS (SELECT id FROM executions WHERE execution_id = ANY($1) ORDER BY id FOR UPDATE)"
_RUNNING: Final = (
    f"WITH {_LOCKED} UPDATE executions AS e SET status = 'running', worker_id = sent.worker"
    " FROM unnest($1::text[], $2::text[], $3::int[]) AS sent (id, worker, attempt), locked"
    " WHERE e.id = locked.id AND e.execution_id = sent.id AND e.attempt = sent.attempt"
    " AND e.status IN ('pending', 'dispatching')"
)
_WAITING: Final = (
    f"WITH {_LOCKED} UPDATE executions SET status = 'pending', due_at = now() + make_interval(secs => {WAIT_SECONDS})"
    " WHERE id IN (SELECT id FROM locked) AND status IN ('pending', 'dispatching')"
)
_NEWEST: Final = f"SELECT execution_id FROM executions WHERE task_id = $1 AND {_OPEN} ORDER BY id DESC LIMIT 1"
_END: Final = (
    f"WITH {_LOCKED} UPDATE executions AS e"
    f" SET status = CASE WHEN said.done THEN 'success' WHEN {_DEAD},"
    f" next_retry_time = CASE WHEN NOT said.done AND {_AGAIN} END,"
    " worker_id = said.worker, result = said.result, error = said.error, actual_time = now()"
    " FROM unnest($1::text[], $2::bool[], $3::text[], $4::text[], $5::text[])"
    " AS said (id, done, worker, result, error), locked"
    f" WHERE e.id = locked.id AND e.execution_id = said.id AND e.{_OPEN} RETURNING e.execution_id"
)
_DECLINE: Final = (
    # Who declines again reads the lane of somebody who died: it takes a moment until that one is back, or forgotten.
    "UPDATE executions SET status = 'pending', attempt = attempt + 1,"
    f" due_at = CASE WHEN $2 = ANY(declined) THEN now() + make_interval(secs => {WAIT_SECONDS}) ELSE now() END,"
    " declined = CASE WHEN $2 = ANY(declined) THEN declined ELSE array_append(declined, $2) END"
    f" WHERE execution_id = $1 AND {_OPEN}"
    " AND CASE WHEN $3::int < 0 THEN NOT $2 = ANY(declined) ELSE attempt = $3 END RETURNING execution_id"
)
LOOK: Final = f"SELECT {COLUMNS} FROM executions WHERE execution_id = ANY($1)"
_EXPIRE: Final = (
    f"UPDATE executions SET {FAILED}, actual_time = now(), error = CASE status WHEN 'running'"
    " THEN 'no result came within the time limit' ELSE 'no worker with this skill came within the time limit' END"
    f" WHERE id IN (SELECT id FROM executions WHERE {_OPEN} AND deadline <= now()"
    f" AND (action_type = 'skill_call' OR status <> 'running') FOR UPDATE SKIP LOCKED) RETURNING {COLUMNS}"
)
_RETRY: Final = (
    "UPDATE executions SET status = 'pending', retry_count = retry_count + 1, attempt = attempt + 1,"
    " declined = '{}', due_at = now(), deadline = now() + make_interval(secs => time_limit), next_retry_time = NULL"
    " WHERE id IN (SELECT id FROM executions WHERE next_retry_time <= now() AND status = 'failed'"
    " ORDER BY next_retry_time LIMIT 1000 FOR UPDATE SKIP LOCKED) RETURNING id"
)
_FORGET: Final = text(
    "DELETE FROM tasks WHERE id IN (SELECT task_id FROM executions JOIN tasks ON tasks.id = task_id WHERE hidden"
    " AND actual_time < now() - make_interval(days => :days) ORDER BY executions.id LIMIT 1000)"
)
_FORGET_HISTORY: Final = text(
    "DELETE FROM executions WHERE id IN (SELECT executions.id FROM executions JOIN tasks ON tasks.id = task_id"
    " WHERE NOT hidden AND trigger_time < now() - make_interval(days => :days)"
    f" AND NOT {_OPEN.replace('status', 'executions.status')} AND next_retry_time IS NULL"
    " ORDER BY executions.trigger_time LIMIT 1000)"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One execution as it stands."""

    task_id: int
    execution_id: str
    skill: str
    params: dict[str, Any]
    status: str
    worker_id: str
    declined: list[str]
    attempt: int
    result: str
    error: str
    trigger_time: datetime
    actual_time: datetime | None
    deadline: datetime
    action_type: str
    cause: str
    retry_count: int
    max_retries: int
    next_retry_time: datetime | None

    @property
    def call(self) -> SkillCall:
        """As it goes on a lane now."""
        return SkillCall(
            skill=self.skill,
            params=self.params,
            task_id=self.task_id,
            execution_id=self.execution_id,
            timestamp=int(time.time()),
            deadline=self.deadline.timestamp(),
            attempt=self.attempt,
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which executions are asked for; empty fields ask for any."""

    task_id: int | None = None
    execution_id: str = ""
    status: str = ""
    limit: int = 50
    offset: int = 0


class Call(NamedTuple):
    """A call to be made. `limit`: seconds."""

    id: str
    skill: str
    params: dict[str, Any]
    limit: float
    creator: str


class Sent(NamedTuple):
    """An attempt of an execution that is under way. `worker_id`: empty when it is for a bot."""

    execution_id: str
    worker_id: str
    attempt: int


class Executions:
    """Executions in PostgreSQL. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._making = Together(self._make_all)
        self._looking = Together(self._look_all)

    async def ready(self) -> bool:
        """Whether the tables are there."""
        async with self._database.connection() as connection:
            return bool(await connection.scalar(text("SELECT to_regclass('tags') IS NOT NULL")))

    async def make(self, skill: str, params: dict[str, Any], *, limit: float, creator: str) -> Seen:
        """A hidden task for one call, and its execution; `limit`: seconds after which it fails without a result.

        Nobody claims it for a second: until then it is for the nexus that is told of it.
        """
        return await self._making.ask(Call(str(uuid4()), skill, params, limit, creator))

    async def claim(self, count: int) -> list[Seen]:
        """Executions that are to be put on a lane now; nobody else gets them for 15 s."""
        return [Seen(*row) for row in await self._database.rows(_CLAIM, count)]

    async def running(self, sent: Sequence[Sent]) -> None:
        """These are on a lane, or with a bot."""
        await self._database.rows(
            _RUNNING,
            [one.execution_id for one in sent],
            [one.worker_id for one in sent],
            [one.attempt for one in sent],
        )

    async def waiting(self, ids: Collection[str]) -> None:
        """There is no worker for these now."""
        await self._database.rows(_WAITING, list(ids))

    async def apply(self, results: Sequence[SkillResult]) -> list[str]:
        """Apply results in their order; for each the execution that it changed, or `""`: it was late or foreign."""
        changed = [""] * len(results)
        ended: dict[str, int] = {}

        async def end() -> None:
            for id in await self._end({id: results[place] for id, place in ended.items()}):
                changed[ended[id]] = id
            ended.clear()

        for place, one in enumerate(results):
            id = clean(one.execution)
            if one.declined or not id or id in ended:
                await end()
            id = id or await self._newest(one.task)
            if one.declined:
                changed[place] = await self._decline(id, one)
            else:
                ended[id] = place
        await end()
        return changed

    async def known(self, execution_id: str) -> bool:
        """Whether there ever was such an execution."""
        return await self.look(execution_id) is not None

    async def look(self, execution_id: str) -> Seen | None:
        """One execution as it stands now."""
        return await self._looking.ask(clean(execution_id))

    async def _make_all(self, calls: Sequence[Call]) -> list[Seen]:
        rows = await self._database.rows(
            _MAKE,
            [one.id for one in calls],
            [one.skill for one in calls],
            [json.dumps({**one.params, "skill": one.skill}) for one in calls],
            [one.limit for one in calls],
            [one.creator for one in calls],
        )
        found = {row["execution_id"]: Seen(*row) for row in rows}
        return [found[one.id] for one in calls]

    async def _look_all(self, ids: Sequence[str]) -> list[Seen | None]:
        found = {row["execution_id"]: Seen(*row) for row in await self._database.rows(LOOK, ids)}
        return [found.get(id) for id in ids]

    async def expire(self) -> list[Seen]:
        """Fail those whose time limit has passed."""
        return [Seen(*row) for row in await self._database.rows(_EXPIRE)]

    async def retry(self) -> int:
        """Have those whose pause is over done again; says how many."""
        return len(await self._database.rows(_RETRY))

    async def forget(self) -> int:
        """Delete what ended long ago, a thousand calls and a thousand of the others at a time; says how many."""
        async with self._database.connection() as connection:
            calls = await connection.execute(_FORGET, {"days": KEPT_DAYS})
            others = await connection.execute(_FORGET_HISTORY, {"days": HISTORY_DAYS})
            return calls.rowcount + others.rowcount

    async def find(self, wanted: Wanted) -> tuple[list[Seen], int]:
        """Executions, newest first, and how many there are in all."""
        where = (
            "(CAST(:task AS bigint) IS NULL OR task_id = :task) AND (:id = '' OR execution_id = :id)"
            " AND (:status = '' OR status = :status)"
        )
        about = {"task": wanted.task_id, "id": clean(wanted.execution_id), "status": wanted.status}
        async with self._database.connection() as connection:
            total = await connection.scalar(text(f"SELECT count(*) FROM executions WHERE {where}"), about)
            page = {"limit": wanted.limit, "offset": wanted.offset}
            statement = f"SELECT {COLUMNS} FROM executions WHERE {where} ORDER BY id DESC LIMIT :limit OFFSET :offset"
            return [Seen(*row) for row in await connection.execute(text(statement), {**about, **page})], total or 0

    async def _end(self, results: Mapping[str, SkillResult]) -> list[str]:
        """End executions by their results; says which were open."""
        if not results:
            return []
        said = results.values()
        rows = await self._database.rows(
            _END,
            list(results),
            [one.state is not State.FAILED for one in said],
            [_worker(one) for one in said],
            [clean(one.text) for one in said],
            [clean(one.error) for one in said],
        )
        return [row["execution_id"] for row in rows]

    async def _decline(self, id: str, one: SkillResult) -> str:
        found = await self._database.rows(_DECLINE, id, _worker(one), one.attempt)
        return str(found[0]["execution_id"]) if found else ""

    async def _newest(self, task: str) -> str:
        """The newest open execution of a task, as old workers name them."""
        number = int(task) if task.isascii() and task.isdecimal() and len(task) < 19 else 0
        found = await self._database.rows(_NEWEST, number)
        return str(found[0]["execution_id"]) if found else ""


def _worker(one: SkillResult) -> str:
    return clean(one.worker_id[:200])


def clean(said: str) -> str:
    """Text that PostgreSQL takes."""
    return said.replace("\0", "\ufffd").encode(errors="replace").decode()
