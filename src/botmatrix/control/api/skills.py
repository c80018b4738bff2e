"""Skills: what workers can do, calling it, and what came of it. 409 while the skill system is off."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.control.audit import Noting
from botmatrix.control.auth import OPERATOR, VIEWER, Asker
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.control.skill_access import sees
from botmatrix.control.skills import Caller, SkillDesk
from botmatrix.skills.model import OPEN, State
from botmatrix.skills.permission import SkillPermission
from botmatrix.store.executions import Seen

router = APIRouter(prefix="/api", tags=["skills"])


async def _desk(parts: UsedParts) -> SkillDesk:
    if parts.skills is None:
        raise ApiError(409, "skill_disabled", "the skill system is off: set enable_skill and restart every part")
    parts.require_schema()
    return parts.skills


Desk = Annotated[SkillDesk, Depends(_desk)]


class Skill(BaseModel):
    """One skill. `params`: name -> description; `parameters`: their JSON Schema; `workers`: who has it now.

    `permission`: who may use it: `public`, `member`, `admin`, `owner`, `off`.
    """

    name: str
    description: str
    usage: str
    params: dict[str, str]
    regex: str
    parameters: dict[str, Any]
    permission: SkillPermission
    workers: list[str]


class Skills(Page):
    """A page of skills."""

    skills: list[Skill]


class Call(BaseModel):
    """What to call with. `timeout`: seconds to wait for the result; `limit`: seconds after which it has failed."""

    model_config = ConfigDict(strict=True)

    params: dict[str, Any] = {}
    wait: bool = True
    timeout: Annotated[float, Field(ge=0.1, le=120)] = 30.0
    limit: Annotated[float, Field(ge=0.1, le=86_400)] = 300.0


class Called(BaseModel):
    """What came of a call. `success`: the skill says so; with 202 nothing is known yet."""

    success: bool
    execution_id: str
    task_id: int
    status: State
    result: str
    error: str
    worker_id: str


_skills = listing("name")
Name = Annotated[str, Path(pattern=r"^\w[\w.\-]{0,63}$")]


@router.get("/skills", responses=protected(409), dependencies=[VIEWER])
async def list_skills(
    desk: Desk, parts: UsedParts, asker: Asker, wanted: Annotated[Listing, Depends(_skills)]
) -> Skills:
    """The skills that workers reported and have now, as far as you may see them."""
    permissions = parts.permissions()
    found = [
        Skill(
            name=one.name,
            description=one.description,
            usage=one.usage,
            params=one.params,
            regex=one.regex,
            parameters=one.schema,
            permission=permission,
            workers=workers,
        )
        for one, workers in (await desk.skills()).values()
        if sees(permission := permissions.of(one.name, one.permission), asker.role)
    ]
    return Skills(**wanted.cut(found, "skills"))


@router.post(
    "/skills/{name}/call",
    response_model=Called,
    responses={202: {"model": Called, "description": "It takes longer"}, **protected(409)},
    dependencies=[OPERATOR],
)
async def call_skill(name: Name, body: Call, desk: Desk, parts: UsedParts, asker: Asker, note: Noting) -> JSONResponse:
    """Call a skill; 200 with its result, also when it failed. It waits for a worker when none has the skill now."""
    note.say("skill.call", name, after={"params": body.params})
    wait = body.timeout if body.wait else 0.0
    caller = Caller(asker.user.username, asker.role, parts.permissions())
    made = await desk.make(name, _text(body.params), caller, limit=body.limit)
    note.write()
    found = await desk.end(made, wait)
    return JSONResponse(_called(found).model_dump(mode="json"), 202 if found.status in OPEN else 200)


def _called(seen: Seen) -> Called:
    return Called(
        success=seen.status == State.SUCCESS,
        execution_id=seen.execution_id,
        task_id=seen.task_id,
        status=State(seen.status),
        result=seen.result,
        error=seen.error,
        worker_id=seen.worker_id,
    )


def _text(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters, if the database can keep them."""
    try:
        text = json.dumps(params, allow_nan=False, ensure_ascii=False)
        kept = "\\u0000" not in text and bool(text.encode())
    except (ValueError, RecursionError):
        kept = False
    if not kept:
        raise ApiError(422, "invalid", "params: must be JSON, without NUL, NaN and infinity")
    return params
