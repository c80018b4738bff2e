"""The newest lines of all parts' logs, together."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from botmatrix.bus.logs import LEVELS, Kept
from botmatrix.control.auth import OPERATOR
from botmatrix.control.errors import protected
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api/logs", tags=["logs"], dependencies=[OPERATOR])

Since = Annotated[str, Query(pattern=r"^(\d{1,19}-\d{1,19})?$", description="only lines after the one with this id")]
Level = Annotated[Literal["debug", "info", "warning", "error", "critical"], Query(description="this or above")]
Text = Annotated[str, Query(max_length=200)]


class Line(BaseModel):
    """One line. `t`: unix seconds."""

    id: str
    t: float
    part: str
    host: str
    level: str
    text: str


class Lines(BaseModel):
    """Oldest first. `last`: ask for what comes `since` it; empty while there is nothing at all."""

    success: Literal[True] = True
    logs: list[Line]
    last: str


@router.get("", responses=protected())
async def read_logs(
    parts: UsedParts,
    since: Since = "",
    level: Level = "debug",
    q: Text = "",
    part: Text = "",
    size: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Lines:
    """The newest lines of every part; with `since` those that came after, for following along."""
    found = await (parts.logs.after(since) if since else parts.logs.newest())
    wanted = [one for one in found if _matches(one, level, q.casefold(), part)]
    shown = wanted[:size] if since else wanted[-size:]
    more = since and len(wanted) > size
    last = shown[-1].id if more else found[-1].id if found else since
    return Lines(logs=[_view(one) for one in shown], last=last)


def _matches(line: Kept, level: str, q: str, part: str) -> bool:
    rank = LEVELS.index(line.level) if line.level in LEVELS else len(LEVELS)
    if rank < LEVELS.index(level) or (part and part != line.part):
        return False
    return not q or q in line.text.casefold()


def _view(line: Kept) -> Line:
    return Line(id=line.id, t=line.t, part=line.part, host=line.host, level=line.level, text=line.text)
