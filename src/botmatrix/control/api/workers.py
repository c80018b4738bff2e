"""The workers: who is alive, how busy, how quick; asking one to take nothing new."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from botmatrix.bus.keys import plain_id
from botmatrix.bus.presence import Presence
from botmatrix.control.auth import OPERATOR, VIEWER
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.fields import Count, Flag, Number, Words, flag
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api/workers", tags=["workers"])


class Worker(BaseModel):
    """One worker, as it last said; `started` is unix seconds.

    Times are means in ms over the last one or two minutes of work. `response_ms`: from the receipt of an event until
    it was settled (`response_p95_ms`: 95 of 100 took no longer); `waiting_ms`: of it, before the handler started;
    `handling_ms`: in the handler. `queued`: events on its lane that are not settled. `drained`: it takes nothing new
    and has nothing left, so that it may be stopped.
    """

    id: str
    pool: str = "default"
    transport: str = "stream"
    alive: bool = True
    draining: bool = False
    drained: bool = False
    queued: Count = 0
    version: str = ""
    incarnation: str = ""
    started: Number = 0.0
    in_flight: Count = 0
    concurrency: Count = 0
    handled: Count = 0
    retried: Count = 0
    dead: Count = 0
    plugins: Count = 0
    response_ms: Number = 0.0
    response_p95_ms: Number = 0.0
    waiting_ms: Number = 0.0
    handling_ms: Number = 0.0
    skills: Words = []
    enable_skill: Flag = False


class Workers(Page):
    """A page of workers."""

    workers: list[Worker]


class Drained(BaseModel):
    """What a worker was asked."""

    success: Literal[True] = True
    id: str
    draining: bool


_listing = listing(
    *("id", "pool", "transport", "in_flight", "handled", "dead", "started"),
    *("response_ms", "response_p95_ms", "waiting_ms", "handling_ms"),
)


@router.get("", responses=protected(), dependencies=[VIEWER])
async def list_workers(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Workers:
    """Every worker whose presence is fresh (30 s)."""
    found = await parts.presence.workers()
    drains = await parts.presence.drains([one["id"] for one in found])
    views = [_view(one, asked, left) for one, (asked, left) in zip(found, drains, strict=True)]
    return Workers(**wanted.cut(views, "workers"))


@router.post("/{worker}/drain", responses=protected(404), dependencies=[OPERATOR])
async def drain(
    worker: str,
    parts: UsedParts,
    on: Annotated[bool, Query(description="false: let it take events again")] = True,
) -> Drained:
    """Ask a worker to finish what it has and take nothing new."""
    if not plain_id(worker) or not await _is_known(parts.presence, worker):
        raise ApiError(404, "unknown_worker", "there is no worker with this id")
    await parts.presence.drain(worker, on=on)
    return Drained(id=worker, draining=on)


async def _is_known(presence: Presence, worker: str) -> bool:
    return any(one["id"] == worker for one in await presence.workers())


def _view(fields: dict[str, str], asked: bool, queued: int) -> Worker:
    draining = asked or flag(fields.get("draining"))
    known: dict[str, Any] = {**fields, "alive": True, "draining": draining, "queued": queued}
    found = Worker.model_validate(known)
    found.drained = draining and not queued and not found.in_flight
    return found
