"""Tasks: what is to be done at some time, or when something happens. 409 while the skill system is off."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from botmatrix.control.audit import Noting
from botmatrix.control.auth import OPERATOR, VIEWER, Asker, Principal
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.control.skills import Caller
from botmatrix.control.tasks import TaskDesk
from botmatrix.store import tables
from botmatrix.store.base import Role
from botmatrix.store.tasks import WantedTasks, definition_of
from botmatrix.tasks.cron import Cron, zone_named
from botmatrix.tasks.definition import LONGEST_WAIT, MAX_RETRIES, MOST_RETRIES, RETRY_DELAY, TIME_LIMIT, Definition
from botmatrix.tasks.model import ActionType, TaskStatus, TaskType

router = APIRouter(prefix="/api/tasks", tags=["tasks"])
TAGS_OF_OPERATORS = 1
PREVIEWED = 5


async def task_desk(parts: UsedParts) -> TaskDesk:
    """The desk, as a dependency; 409 while the skill system is off."""
    if parts.tasks is None:
        raise ApiError(409, "skill_disabled", "the skill system is off: set enable_skill and restart every part")
    parts.require_schema()
    return parts.tasks


def _object(value: Any) -> Any:
    """An object may also come as its JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("must be an object, or JSON text of one") from error


Desk = Annotated[TaskDesk, Depends(task_desk)]
Id = Annotated[int, Path(ge=1, le=(1 << 63) - 1)]
Config = Annotated[dict[str, Any], BeforeValidator(_object, json_schema_input_type=dict[str, Any] | str)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Zone = Annotated[str, Field(min_length=1, max_length=64)]
Tags = Annotated[list[Name], Field(max_length=20)]
Retries = Annotated[int, Field(ge=0, le=MOST_RETRIES)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_WAIT)]


class Task(BaseModel):
    """One task. `retry_delay`: s, the n-th retry waits n * n times as long; `time_limit`: s that one try has."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    type: TaskType
    trigger_config: dict[str, Any]
    action_type: ActionType
    action_params: dict[str, Any]
    time_zone: str
    tags: list[str]
    max_retries: int
    retry_delay: float
    time_limit: float
    status: TaskStatus
    creator: str
    created_at: datetime
    updated_at: datetime
    last_run_time: datetime | None
    next_run_time: datetime | None


class Tasks(Page):
    """A page of tasks."""

    tasks: list[Task]


class Said(BaseModel):
    """The task as it is now; as it was, when it was deleted."""

    success: Literal[True] = True
    task: Task


class Preview(BaseModel):
    """The next moments of a cron expression, at most five."""

    success: Literal[True] = True
    next: list[datetime]


class Ran(Said):
    """The executions that were made: one, or one for each group and friend with one of its tags."""

    executions: list[str]


class NewTask(BaseModel):
    """What is to be done, and when. Both configs as objects or as their JSON text."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    type: TaskType
    trigger_config: Config
    action_type: ActionType
    action_params: Config
    time_zone: Zone = "UTC"
    tags: Tags = []
    max_retries: Retries = MAX_RETRIES
    retry_delay: Seconds = RETRY_DELAY
    time_limit: Seconds = TIME_LIMIT


class TaskChange(BaseModel):
    """What is to be different. `status`: `disabled` pauses it, `pending` lets it go on from now."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    type: TaskType | None = None
    trigger_config: Config | None = None
    action_type: ActionType | None = None
    action_params: Config | None = None
    time_zone: Zone | None = None
    tags: Tags | None = None
    max_retries: Retries | None = None
    retry_delay: Seconds | None = None
    time_limit: Seconds | None = None
    status: Literal["pending", "disabled"] | None = None


_listing = listing("id", "name", "created_at", "last_run_time", "next_run_time")


@router.get("", responses=protected(409), dependencies=[VIEWER])
async def list_tasks(
    desk: Desk,
    wanted: Annotated[Listing, Depends(_listing)],
    type: Annotated[Literal["", "once", "delayed", "cron", "condition"], Query()] = "",
    status: Annotated[Literal["", "pending", "disabled", "completed"], Query()] = "",
) -> Tasks:
    """Every task. `q` is searched in names and creators; calls of skills are no tasks here."""
    asked = WantedTasks(wanted.q, type, status, wanted.sort, limit=wanted.size, offset=wanted.offset)
    found, total = await desk.tasks.find(asked)
    rows = [Task.model_validate(one) for one in found]
    return Tasks(tasks=rows, total=total, page=wanted.page, size=wanted.size)


@router.get("/preview", responses=protected(409), dependencies=[VIEWER])
async def preview(
    desk: Desk,
    cron: Annotated[str, Query(min_length=1, max_length=200)],
    time_zone: Annotated[str, Query(min_length=1, max_length=64)] = "UTC",
) -> Preview:
    """When a cron expression comes next; nothing is made."""
    found: list[datetime] = []
    schedule, moment = Cron(cron, zone_named(time_zone)), datetime.now(UTC)
    while len(found) < PREVIEWED and (following := schedule.next(moment)) is not None:
        found.append(moment := following)
    return Preview(next=found)


@router.post("", responses=protected(409), dependencies=[OPERATOR])
async def create_task(body: NewTask, desk: Desk, parts: UsedParts, asker: Asker, note: Noting) -> Said:
    """Make a task. Conditions, and more than one tag, need an administrator; a skill whoever may call it."""
    definition = Definition(**body.model_dump())
    await _require_reach(parts, asker, definition)
    made = await desk.create(definition, asker.user.username)
    note.say("task.create", _called(made), after=_said(made))
    return Said(task=Task.model_validate(made))


@router.get("/{task_id:int}", responses=protected(404, 409), dependencies=[VIEWER])
async def get_task(task_id: Id, desk: Desk) -> Said:
    """One task."""
    return Said(task=Task.model_validate(await desk.tasks.get(task_id)))


@router.patch("/{task_id:int}", responses=protected(404, 409), dependencies=[OPERATOR])
async def change_task(task_id: Id, body: TaskChange, desk: Desk, parts: UsedParts, asker: Asker, note: Noting) -> Said:
    """Change what the body names, pause the task, or let it go on."""
    changes = body.model_dump(exclude_none=True)
    before = definition_of(await desk.tasks.get(task_id))
    await _require_reach(parts, asker, before)
    await _require_reach(parts, asker, _changed(before, changes))
    old, new = await desk.edit(task_id, changes)
    note.say("task.edit", _called(new), before=_said(old), after=_said(new))
    return Said(task=Task.model_validate(new))


@router.delete("/{task_id:int}", responses=protected(404, 409), dependencies=[OPERATOR])
async def delete_task(task_id: Id, desk: Desk, parts: UsedParts, asker: Asker, note: Noting) -> Said:
    """Delete a task with its executions."""
    await _require_reach(parts, asker, definition_of(await desk.tasks.get(task_id)))
    task = await desk.delete(task_id)
    note.say("task.delete", _called(task), before=_said(task))
    return Said(task=Task.model_validate(task))


@router.post("/{task_id:int}/run", responses=protected(404, 409), dependencies=[OPERATOR])
async def run_task(task_id: Id, desk: Desk, parts: UsedParts, asker: Asker, note: Noting) -> Ran:
    """Set a task off now, also a paused one; its schedule stays as it is."""
    await _require_reach(parts, asker, definition_of(await desk.tasks.get(task_id)))
    task, made = await desk.run(task_id, asker.user.username)
    note.say("task.run", _called(task), after={"executions": len(made)})
    return Ran(task=Task.model_validate(await desk.tasks.get(task_id)), executions=made)


async def _require_reach(parts: Parts, asker: Principal, definition: Definition) -> None:
    if definition.action_type is ActionType.SKILL_CALL and parts.skills is not None:
        skill = str(definition.action_params.get("skill", ""))
        await parts.skills.require(skill, Caller(asker.user.username, asker.role, parts.permissions()))
    if asker.role.covers(Role.ADMIN):
        return
    if definition.type is TaskType.CONDITION or len(definition.tags) > TAGS_OF_OPERATORS:
        raise ApiError(403, "needs_admin", "a condition, or more than one tag, needs an administrator")


def _changed(before: Definition, changes: dict[str, Any]) -> Definition:
    fields = {name: value for name, value in changes.items() if name != "status"}
    return Definition(**{**{name: getattr(before, name) for name in Definition.__slots__}, **fields})


def _called(task: tables.Task) -> str:
    return f"{task.id} {task.name}"


def _said(task: tables.Task) -> dict[str, Any]:
    return Task.model_validate(task).model_dump(
        mode="json", include={*Definition.__slots__, "status", "next_run_time"}, exclude={"name"}
    )
