"""Logins that have not ended: one's own, for an administrator everybody's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from botmatrix.control.audit import Noting
from botmatrix.control.auth import InPerson, require_reach, whose
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.store.logins import Login, UnknownLogin

router = APIRouter(prefix="/api/sessions", tags=["login"])


class Session(BaseModel):
    """One login. `current`: the one that asks. `last_seen_at` is no finer than a minute."""

    id: int
    username: str
    current: bool
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


class Sessions(Page):
    """A page of logins."""

    sessions: list[Session]


class Ended(BaseModel):
    """How many logins were ended."""

    success: Literal[True] = True
    ended: int


_listing = listing("created_at", "last_seen_at", "expires_at", "username", "address", default="-created_at")


@router.get("", responses=protected())
async def list_sessions(
    asker: InPerson,
    parts: UsedParts,
    wanted: Annotated[Listing, Depends(_listing)],
    everybody: Annotated[bool, Query(alias="all", description="Everybody's; needs an administrator.")] = False,
) -> Sessions:
    """One's logins; with `all=true` everybody's."""
    found = await parts.logins.list(user_id=whose(asker, everybody))
    return Sessions(**wanted.cut([_view(one, asker.session.id) for one in found], "sessions"))


@router.delete("", responses=protected(404))
async def end_sessions(
    asker: InPerson,
    parts: UsedParts,
    note: Noting,
    session_id: Annotated[int | None, Query(alias="id", ge=1, le=2**63 - 1)] = None,
) -> Ended:
    """End the login `id`; without it every login of one's own but this one."""
    if session_id is None:
        ended = await parts.logins.end_others(asker.session)
        note.say("session.end_others", asker.user.username, after={"ended": ended})
        return Ended(ended=ended)
    login = await parts.logins.get(session_id)
    require_reach(asker, login.user, UnknownLogin())
    await parts.logins.end_one(session_id)
    note.say("session.end", login.user.username, before={"id": session_id, "address": login.session.address})
    return Ended(ended=1)


def _view(login: Login, current: int) -> Session:
    session = login.session
    return Session(
        id=session.id,
        username=login.user.username,
        current=session.id == current,
        created_at=session.created_at,
        last_seen_at=session.last_seen_at,
        expires_at=session.expires_at,
        address=session.address,
        user_agent=session.user_agent,
    )
