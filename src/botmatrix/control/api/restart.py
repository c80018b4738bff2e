"""All parts end in order and start again, so that settings which need it take effect."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN
from botmatrix.control.errors import protected
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api/admin/restart", tags=["settings"], dependencies=[ADMIN])


class RestartedPart(BaseModel):
    """One process that starts again."""

    part: Literal["worker", "nexus", "control"]
    id: str


class Restarting(BaseModel):
    """The parts in the order in which they start again, each after the one before is back; control last."""

    success: Literal[True] = True
    parts: list[RestartedPart]


@router.post("", status_code=202, responses=protected())
async def restart(parts: UsedParts, note: Noting) -> Restarting:
    """Have every part finish what it has, end in order, and start again. Bots always find a nexus when there are two.

    Stops early when a nexus does not come back. Asked again meanwhile, it answers the same.
    """
    found = [RestartedPart(part=one.kind, id=one.name) for one in await parts.restart.begin()]
    note.say("restart", "all parts", after={"parts": [f"{one.part} {one.id}" for one in found]})
    return Restarting(parts=found)
