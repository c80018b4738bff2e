"""The queues: what waits, for how long, and what could not be handled."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.bus.presence import DeadLetter, Presence
from botmatrix.bus.presence import Queue as Lane
from botmatrix.control.auth import OPERATOR, VIEWER
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts

WINDOW = 1000
"""Dead letters that one request looks at."""
_SHOWN = 64 * 1024

router = APIRouter(prefix="/api/queues", tags=["queues"])
LetterId = Annotated[str, Field(pattern=r"^[0-9]{1,19}-[0-9]{1,19}$", max_length=39)]


class Queue(BaseModel):
    """One lane. `backlog`: entries that are not settled; `pending` of them are with the owner."""

    lane: str
    owner: str
    alive: bool
    backlog: int
    pending: int
    oldest_seconds: float


class Queues(Page):
    """A page of queues, how many dead letters there are, and how many messages wait for the turn of each bot."""

    queues: list[Queue]
    dead: int
    paced: dict[str, int]


class Letter(BaseModel):
    """An event that could not be handled. `payload` is the entry as it was, cut at 64 KiB."""

    id: str
    reason: str
    lane: str
    since: float
    payload: str


class Letters(Page):
    """A page of dead letters, of the oldest thousand; `total` counts all that fit `q` among them."""

    dead: list[Letter]


class Exactly(BaseModel):
    """A choice that says nothing else, so that a slip of the pen discards nothing."""

    model_config = ConfigDict(extra="forbid")


class One(Exactly):
    """One dead letter."""

    id: LetterId


class Some(Exactly):
    """Some dead letters."""

    ids: Annotated[list[LetterId], Field(min_length=1, max_length=WINDOW)]


class Everything(Exactly):
    """All dead letters."""

    all: Literal[True]


Choice = One | Some | Everything


class Replayed(BaseModel):
    """How many were put back, and how many dead letters are left."""

    success: Literal[True] = True
    replayed: int
    left: int


class Purged(BaseModel):
    """How many were discarded, and how many dead letters are left."""

    success: Literal[True] = True
    purged: int
    left: int


_queues = listing("lane", "owner", "backlog", "pending", "oldest_seconds")
_letters = listing("id", "reason", "lane", "since")


@router.get("", responses=protected(), dependencies=[VIEWER])
async def list_queues(parts: UsedParts, wanted: Annotated[Listing, Depends(_queues)]) -> Queues:
    """Every lane and every parking place (`default`, `wait:TARGET`, `away:TARGET`)."""
    page = wanted.cut([_queue(one) for one in await parts.presence.queues()], "queues")
    paced = await parts.rooms.waiting(sorted(await parts.rooms.bots()))
    return Queues(**page, dead=await parts.presence.dead_count(), paced=paced)


@router.get("/dead", responses=protected(), dependencies=[OPERATOR])
async def list_dead(parts: UsedParts, wanted: Annotated[Listing, Depends(_letters)]) -> Letters:
    """Dead letters. They carry what people wrote, so this needs an operator."""
    return Letters(**wanted.cut([_letter(one) for one in await parts.presence.dead(count=WINDOW)], "dead"))


@router.post("/dead/replay", responses=protected(404), dependencies=[OPERATOR])
async def replay(choice: Choice, parts: UsedParts) -> Replayed:
    """Put dead letters back to be handled again, under their own event ids; of `all`, the oldest thousand."""
    chosen = await _chosen(choice, parts.presence)
    replayed = sum([await parts.presence.replay(letter) for letter in chosen])
    _require_one(choice, replayed)
    return Replayed(replayed=replayed, left=await parts.presence.dead_count())


@router.post("/dead/purge", responses=protected(404), dependencies=[OPERATOR])
async def purge(choice: Choice, parts: UsedParts) -> Purged:
    """Discard dead letters for good."""
    if isinstance(choice, Everything):
        purged = await parts.presence.purge()
    else:
        purged = sum([await parts.presence.purge(letter) for letter in await _chosen(choice, parts.presence)])
    _require_one(choice, purged)
    return Purged(purged=purged, left=await parts.presence.dead_count())


async def _chosen(choice: Choice, presence: Presence) -> list[str]:
    match choice:
        case One():
            return [choice.id]
        case Some():
            return list(dict.fromkeys(choice.ids))
        case Everything():
            return [letter.id for letter in await presence.dead(count=WINDOW)]


def _require_one(choice: Choice, found: int) -> None:
    if not found and not isinstance(choice, Everything):
        raise ApiError(404, "unknown_letter", "there is no dead letter with this id")


def _queue(lane: Lane) -> Queue:
    return Queue(
        lane=lane.lane,
        owner=lane.owner,
        alive=lane.alive,
        backlog=lane.length,
        pending=lane.pending,
        oldest_seconds=round(lane.oldest, 3),
    )


def _letter(letter: DeadLetter) -> Letter:
    payload = letter.payload[:_SHOWN].decode(errors="replace")
    return Letter(id=letter.id, reason=letter.reason, lane=letter.lane, since=letter.since, payload=payload)
