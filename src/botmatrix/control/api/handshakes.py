"""Refused upgrades: why a client can't get in, and what to do about it."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from botmatrix.control.auth import VIEWER
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api/handshakes", tags=["bots"], dependencies=[VIEWER])


class Handshake(BaseModel):
    """One refused upgrade. `at`: unix seconds; `target`: path and query, tokens masked; `cure`: what to do about it."""

    at: float
    nexus: str
    remote: str
    target: str
    self_id: str
    user_agent: str
    status: int
    reason: str
    cure: str


class Handshakes(Page):
    """A page of refused upgrades."""

    handshakes: list[Handshake]


_listing = listing("at", "status", "remote", "self_id", "reason", default="-at")


@router.get("", responses=protected())
async def list_handshakes(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Handshakes:
    """The refused upgrades of the last hour at every nexus, at most 500, newest first."""
    found = await parts.handshakes.recent(time.time())
    return Handshakes(**wanted.cut([Handshake(**msgspec.structs.asdict(one)) for one in found], "handshakes"))
