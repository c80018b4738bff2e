"""The live view, as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from botmatrix.bus.trace_stream import is_entry_id
from botmatrix.control.auth import VIEWER, Asker, Principal, identify
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.control.tracing.viewer import event
from botmatrix.errors import EngineUnavailable
from botmatrix.store.tables import Role

CHECK_EVERY: Final = 5.0
"""Seconds between two looks whether the login still holds; also between two signs of life."""
RETRY_MS: Final = 2000
TEXT: Final = "text/event-stream"
_EVENT: Final = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("event", "data", "id")},
    "description": "`data` is JSON.",
}

router = APIRouter(prefix="/api/live", tags=["history"], dependencies=[VIEWER])


@router.get(
    "",
    response_class=StreamingResponse,
    responses={**protected(), 200: {"content": {TEXT: {"schema": _EVENT}}, "description": "Events"}},
)
async def live(
    request: Request,
    parts: UsedParts,
    asker: Asker,
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> StreamingResponse:
    """Events `hops`, `bots`, `workers`, `counters`, `end`; hops say what people wrote to operators only."""
    if parts.feed.full:
        raise ApiError(503, "busy", "too many people watch already; try again later", retry_after=CHECK_EVERY)
    after = last_event_id if is_entry_id(last_event_id) else ""
    await parts.presence.ping()
    return StreamingResponse(
        _events(request, parts, asker, after), media_type=TEXT, headers={"X-Accel-Buffering": "no"}
    )


async def _events(request: Request, parts: Parts, asker: Principal, after: str) -> AsyncIterator[str]:
    """Joins when it is begun, so that whoever is gone by then takes no place."""
    try:
        viewer, missed = await parts.feed.join(after, reads=asker.role.covers(Role.OPERATOR))
    except EngineUnavailable:
        return
    end_at = time.monotonic() + parts.feed.lifetime
    check_at = time.monotonic() + CHECK_EVERY
    try:
        yield f"retry: {RETRY_MS}\n: BotMatrix\n\n"
        if missed is not None:
            yield viewer.shown(missed)
        while not viewer.ended and (now := time.monotonic()) < end_at:
            yield await viewer.next(min(check_at, end_at) - now) or ": still here\n\n"
            if time.monotonic() >= check_at:
                check_at += CHECK_EVERY
                if not await _may_go_on(request, parts, asker):
                    yield event("end", {"reason": "this login or API key ended, or its role has changed"})
                    return
        yield event("end", {"reason": "the view is to be opened again"})
    finally:
        parts.feed.leave(viewer)


async def _may_go_on(request: Request, parts: Parts, asker: Principal) -> bool:
    """Whether the login holds, with the same role. While PostgreSQL is away nobody is sent off."""
    try:
        return (await identify(request, parts)).role is asker.role
    except EngineUnavailable:
        return True
    except ApiError:
        return False
