"""What became of an event: each one's road, and why nobody answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from botmatrix.bus.event_id import is_event_id, second_of
from botmatrix.control.api.messages import Name
from botmatrix.control.auth import OPERATOR
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.moments import From, To, span
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.control.tracing.outcome import Outcome, outcome_of
from botmatrix.control.tracing.road import Road
from botmatrix.store.history import Wanted
from botmatrix.store.history_log import moment
from botmatrix.store.tables import Trace as Row

router = APIRouter(prefix="/api/traces", tags=["history"], dependencies=[OPERATOR])

OutcomeWord = Literal["under_way", "silent", "answered", "duplicate", "blocked", "failed"]


class Trace(BaseModel):
    """One event. `at`: when it was received. `why`: why nobody answered, empty when somebody did."""

    event_id: str
    at: datetime
    bot: str
    conv: str
    user_id: str
    group_id: str
    kind: str
    text: str
    rule: str
    worker: str
    outcome: OutcomeWord
    reason: str
    why: str


class Station(BaseModel):
    """One thing that happened. `took`: ms; -1 when it took no time of its own."""

    at: datetime
    where: str
    what: str
    took: float


class WholeTrace(Trace):
    """One event with its road: `stations` in words and in order, `parts` as they were reported (docs/trace.md)."""

    stations: list[Station]
    parts: list[dict[str, Any]]


class Traces(Page):
    """A page of traces; the first 10,000 are counted and can be paged through."""

    traces: list[Trace]


class OneTrace(BaseModel):
    """One trace."""

    success: Literal[True] = True
    trace: WholeTrace


_listing = listing("at", default="-at")


@router.get("", responses=protected())
async def list_traces(
    parts: UsedParts,
    wanted: Annotated[Listing, Depends(_listing)],
    start: From = "",
    to: To = "",
    bot: Name = "",
    user: Name = "",
    group: Name = "",
    outcome: OutcomeWord | Literal[""] = "",
) -> Traces:
    """Events of the last 24 hours, or of the time asked for, newest first; `q`: a part of what was said."""
    since, until = span(start, to)
    found, total = await parts.history.traces(
        Wanted(
            start=since.replace(microsecond=0),
            end=until,
            bot=bot,
            user=user,
            group=group,
            q=wanted.q,
            outcome=outcome_of(outcome) if outcome else None,
            oldest_first=not wanted.sort.startswith("-"),
            limit=wanted.size,
            offset=wanted.offset,
        )
    )
    return Traces(traces=[view(one) for one in found], total=total, page=wanted.page, size=wanted.size)


@router.get("/{event_id}", responses=protected(404))
async def get_trace(event_id: str, parts: UsedParts) -> OneTrace:
    """The road of one event."""
    found = await find(parts, event_id)
    if found is None:
        raise ApiError(404, "unknown_trace", "nothing is known of an event with this id: it was not traced, or is gone")
    return OneTrace(trace=whole(found))


async def find(parts: Parts, event_id: str) -> Row | None:
    """The trace of an event, if there is one."""
    if not is_event_id(event_id):
        return None
    return await parts.history.trace(event_id, datetime.fromtimestamp(second_of(event_id), UTC))


def view(row: Row) -> Trace:
    """A trace without its road."""
    return Trace.model_validate(_fields(row, Road(row.parts.values())))


def whole(row: Row) -> WholeTrace:
    """A trace with its road."""
    road = Road(row.parts.values())
    stations = [
        {"at": moment(one.t), "where": one.where, "what": one.what, "took": one.took} for one in road.stations()
    ]
    return WholeTrace.model_validate({**_fields(row, road), "stations": stations, "parts": list(row.parts.values())})


def _fields(row: Row, road: Road) -> dict[str, Any]:
    known = {name: getattr(row, name) for name in Trace.model_fields if hasattr(row, name)}
    at = moment(road.received) if road.received else row.at
    return {**known, "at": at, "outcome": Outcome(row.outcome).word, "why": road.why()}
