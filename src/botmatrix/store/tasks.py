"""Tasks that people made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.core.patterns import BadPattern, check
from botmatrix.errors import BotMatrixError
from botmatrix.store.engine import Database
from botmatrix.store.skill_tables import Task
from botmatrix.tasks.conditions import MOST as MOST_CONDITIONS
from botmatrix.tasks.definition import Definition
from botmatrix.tasks.model import ActionType, BadTask, TaskStatus, TaskType

MOST_TASKS: Final = 5000
_FIELDS: Final = tuple(one.name for one in fields(Definition))
_TRIGGER: Final = ("type", "trigger_config", "time_zone")


class UnknownTask(BotMatrixError):
    """There is no such task."""

    def __init__(self) -> None:
        super().__init__("there is no task with this id")


class TooManyTasks(BotMatrixError):
    """There are as many as there may be."""

    def __init__(self, most: int, what: str) -> None:
        super().__init__(f"there may be {most} {what}: delete or disable one that is not used any more")


@dataclass(frozen=True, slots=True)
class WantedTasks:
    """Which tasks are asked for; empty fields ask for any. `sort`: a column, with a leading `-` for descending."""

    q: str = ""
    type: str = ""
    status: str = ""
    sort: str = "id"
    limit: int = 50
    offset: int = 0


def definition_of(task: Task) -> Definition:
    """What somebody described, as it is kept."""
    given = {name: getattr(task, name) for name in _FIELDS}
    return Definition(**{**given, "type": TaskType(task.type), "action_type": ActionType(task.action_type)})


class Tasks:
    """Every method is one transaction and raises `EngineUnavailable`. Time is the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, definition: Definition, creator: str) -> Task:
        """A new task. Raises `BadTask`, `TooManyTasks`."""
        definition = definition.checked()
        async with self._database.session() as session:
            if await _count(session) >= MOST_TASKS:
                raise TooManyTasks(MOST_TASKS, "tasks")
            now = await _now(session)
            task = Task(
                **asdict(definition),
                hidden=False,
                creator=creator,
                status=TaskStatus.PENDING,
                next_run_time=definition.trigger.first(now),
            )
            session.add(task)
            await _admit(session, task)
            await session.refresh(task)
        return task

    async def get(self, task_id: int) -> Task:
        """One task. Raises `UnknownTask`."""
        async with self._database.session() as session:
            return await _task(session, task_id)

    async def edit(self, task_id: int, changes: Mapping[str, Any]) -> tuple[Task, Task]:
        """Change some fields, `status` (`pending`, `disabled`) among them; the task before and after.

        What sets it off counts from now on when it was changed, or the task was paused. Raises `UnknownTask`,
        `BadTask`, `TooManyTasks`.
        """
        async with self._database.session() as session:
            task = await _task(session, task_id, lock=True)
            before = _copy(task)
            changed = {name: value for name, value in changes.items() if name in _FIELDS}
            definition = replace(definition_of(task), **changed).checked()
            for name, value in asdict(definition).items():
                setattr(task, name, value)
            await self._schedule(session, task, before, changes.get("status"))
            task.updated_at = func.clock_timestamp()
            await _admit(session, task)
            await session.refresh(task)
        return before, task

    async def delete(self, task_id: int) -> Task:
        """Drop a task and its executions. Raises `UnknownTask`."""
        async with self._database.session() as session:
            task = await _task(session, task_id, lock=True)
            await session.delete(task)
        return task

    async def find(self, wanted: WantedTasks) -> tuple[Sequence[Task], int]:
        """Tasks, and how many there are in all."""
        column = getattr(Task, wanted.sort.removeprefix("-"))
        order = column.desc().nulls_last() if wanted.sort.startswith("-") else column.asc().nulls_last()
        where = _where(wanted)
        query = select(Task).where(*where).order_by(order, Task.id).limit(wanted.limit).offset(wanted.offset)
        async with self._database.session() as session:
            total = await session.scalar(select(func.count()).select_from(Task).where(*where))
            return (await session.scalars(query)).all(), total or 0

    async def conditions_version(self) -> str:
        """Changes whenever `conditions` does."""
        statement = text(
            "SELECT count(*) || ' ' || coalesce(max(updated_at)::text, '') FROM tasks"
            " WHERE type = 'condition' AND status = 'pending'"
        )
        async with self._database.connection() as connection:
            return str(await connection.scalar(statement))

    async def conditions(self) -> Sequence[Task]:
        """The tasks that events set off."""
        query = select(Task).where(_is_condition()).order_by(Task.id).limit(MOST_CONDITIONS)
        async with self._database.session() as session:
            return (await session.scalars(query)).all()

    async def _schedule(self, session: AsyncSession, task: Task, before: Task, status: str | None) -> None:
        """Whether and when it is set off, after a change."""
        renewed = any(getattr(task, name) != getattr(before, name) for name in _TRIGGER)
        if status == TaskStatus.DISABLED:
            task.status, task.next_run_time = TaskStatus.DISABLED, None
        elif (status == TaskStatus.PENDING and task.status != TaskStatus.PENDING) or (
            renewed and task.status != TaskStatus.DISABLED
        ):
            task.status = TaskStatus.PENDING
            task.next_run_time = definition_of(task).trigger.first(await _now(session))


def _is_condition() -> ColumnElement[bool]:
    return (Task.type == "condition") & (Task.status == "pending")


def _where(wanted: WantedTasks) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [~Task.hidden]
    if wanted.type:
        where.append(Task.type == wanted.type)
    if wanted.status:
        where.append(Task.status == wanted.status)
    if q := wanted.q.replace("\0", ""):
        where.append(or_(*(one.icontains(q, autoescape=True) for one in (Task.name, Task.creator))))
    return where


async def _now(session: AsyncSession) -> datetime:
    now: datetime = (await session.execute(select(func.now()))).scalar_one()
    return now


async def _count(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(Task).where(~Task.hidden)) or 0


async def _task(session: AsyncSession, task_id: int, *, lock: bool = False) -> Task:
    query = select(Task).where(Task.id == task_id, ~Task.hidden)
    task = await session.scalar(query.with_for_update() if lock else query)
    if task is None:
        raise UnknownTask
    return task


async def _admit(session: AsyncSession, task: Task) -> None:
    """Raises `TooManyTasks`, `BadTask` when events would have to be held against too much."""
    await session.flush()
    if task.type != TaskType.CONDITION or task.status != TaskStatus.PENDING:
        return
    on = (await session.scalars(select(Task.trigger_config).where(_is_condition()))).all()
    if len(on) > MOST_CONDITIONS:
        raise TooManyTasks(MOST_CONDITIONS, "conditions that are on")
    try:
        check(str(one["regex"]) for one in on if one.get("regex"))
    except BadPattern:
        raise BadTask("regex: the expressions of all conditions that are on are too large together") from None


def _copy(task: Task) -> Task:
    return Task(**{column.name: getattr(task, column.name) for column in Task.__table__.columns})
