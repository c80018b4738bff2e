"""Executions: each run of a task, and of a skill that somebody called. 409 while the skill system is off."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel

from botmatrix.control.api.skills import Desk as SkillDesk
from botmatrix.control.api.tasks import Desk
from botmatrix.control.audit import Noting
from botmatrix.control.auth import OPERATOR, Asker
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.skills.model import State
from botmatrix.store.executions import Wanted
from botmatrix.tasks.model import ActionType

router = APIRouter(prefix="/api/tasks/executions", tags=["tasks"])


class Execution(BaseModel):
    """One run. `cause`: what set its task off, and for whom; `declined`: workers that did not take it.

    `actual_time`: when it ended, or its last try did; with `next_retry_time` there is another one.
    """

    task_id: int
    execution_id: str
    cause: str
    action_type: ActionType
    skill: str
    params: dict[str, Any]
    status: State
    worker_id: str
    declined: list[str]
    result: str
    error: str
    trigger_time: datetime
    actual_time: datetime | None
    deadline: datetime
    retry_count: int
    max_retries: int
    next_retry_time: datetime | None


class Executions(Page):
    """A page of executions."""

    executions: list[Execution]


class Cancelled(BaseModel):
    """The execution as it is now."""

    success: Literal[True] = True
    execution: Execution


_listing = listing("trigger_time", default="-trigger_time")


@router.get("", responses=protected(409), dependencies=[OPERATOR])
async def list_executions(
    desk: SkillDesk,
    wanted: Annotated[Listing, Depends(_listing)],
    task_id: Annotated[int | None, Query(ge=1, le=(1 << 63) - 1)] = None,
    execution_id: Annotated[str, Query(max_length=64)] = "",
    status: Literal["", "pending", "dispatching", "running", "success", "failed", "dead"] = "",
) -> Executions:
    """Executions, newest first; those that wait for a worker are `pending`."""
    found, total = await desk.find(Wanted(task_id, execution_id, status, limit=wanted.size, offset=wanted.offset))
    rows = [Execution.model_validate(one, from_attributes=True) for one in found]
    return Executions(executions=rows, total=total, page=wanted.page, size=wanted.size)


@router.post("/{execution_id}/cancel", responses=protected(404, 409), dependencies=[OPERATOR])
async def cancel_execution(
    execution_id: Annotated[str, Path(max_length=64)], desk: Desk, asker: Asker, note: Noting
) -> Cancelled:
    """End an execution that waits, runs or is to be tried again. What is under way already can't be called back."""
    found = await desk.cancel(execution_id, asker.user.username)
    note.say("task.cancel", f"{found.task_id} {execution_id}")
    return Cancelled(execution=Execution.model_validate(found, from_attributes=True))
