"""OneBot applications as workers: who is dialled, in what state each line is, and who dialled in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.bus.roster import SocketView
from botmatrix.bus.sockets import ToldLine
from botmatrix.config import STORABLE, Source
from botmatrix.config.view import locked_by
from botmatrix.control.apps import KEY, UnknownApp, without_tokens
from botmatrix.control.audit import Noting
from botmatrix.control.auth import OWNER, VIEWER, Asker
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.fields import Count, Number
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import Parts, UsedParts

router = APIRouter(prefix="/api/apps", tags=["applications"])


class Line(BaseModel):
    """One link that a nexus keeps up for one bot.

    `state`: `dialling`, `open`, or `waiting` for the next attempt, since unix seconds `since`. `error`: why the last
    attempt failed, and what to do about it.
    """

    bot: str
    nexus: str
    state: str
    since: float
    error: str
    attempts: int


class App(BaseModel):
    """An application. `dialled`: the nexus dials it, else it dialled in.

    `bots`: whom it is for (empty: all of them); `attached`: bots for which it has a link now. `waiting`: events that it
    has not read yet; `response_ms`: from the receipt of an event to its first action.
    """

    name: str
    dialled: bool
    url: str = ""
    token_set: bool = False
    bots: list[str] = []
    deliver: str = "one"
    format: str = ""
    attached: list[str] = []
    lines: list[Line] = []
    handled: Count = 0
    in_flight: Count = 0
    waiting: Count = 0
    lost: Count = 0
    response_ms: Number = 0.0


class Apps(Page):
    """A page of applications. `source`: where those that are dialled are set."""

    apps: list[App]
    source: Source


class Wanted(BaseModel):
    """An application to dial, or one to change. Without a `token` it keeps the one that it has; an empty one takes it
    away."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64)]
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    token: Annotated[str, Field(max_length=500)] | None = None
    bots: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000)] = []
    deliver: Literal["one", "all"] = "one"
    format: Literal["", "array"] = ""


class Saved(BaseModel):
    """The application as it is set now. `published`: every nexus acts by it within a second."""

    success: Literal[True] = True
    app: App
    published: bool


class Dropped(BaseModel):
    """Which application is dialled no more."""

    success: Literal[True] = True
    name: str
    published: bool


_listing = listing("name", "dialled", "handled", "in_flight", "response_ms")


@router.get("", responses=protected(), dependencies=[VIEWER])
async def list_apps(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Apps:
    """Every application, dialled or dialling. While Redis is away nothing is known of their links."""
    found = await _views(parts)
    return Apps(**wanted.cut(found, "apps"), source=parts.current.wanted.source(KEY))


@router.post("", responses=protected(409), dependencies=[OWNER])
async def save_app(wanted: Wanted, parts: UsedParts, asker: Asker, note: Noting) -> Saved:
    """Dial an application from now on, once for each bot, or change one."""
    _refuse_locked(parts)
    done = await parts.apps.save(wanted.model_dump(), asker.user.username)
    note.say("apps.set", wanted.name, before=dict(done.before), after=wanted.model_dump())
    view = next(view for view in await _views(parts) if view.name == wanted.name)
    return Saved(app=view, published=done.published)


@router.delete("", responses=protected(404, 409), dependencies=[OWNER])
async def drop_app(name: Annotated[str, Query(max_length=64)], parts: UsedParts, asker: Asker, note: Noting) -> Dropped:
    """Dial an application no more."""
    _refuse_locked(parts)
    try:
        done = await parts.apps.drop(name, asker.user.username)
    except UnknownApp as error:
        raise ApiError(404, "unknown_app", str(error)) from None
    note.say("apps.drop", name, before=dict(done.before))
    return Dropped(name=name, published=done.published)


def _refuse_locked(parts: Parts) -> None:
    if lock := locked_by(STORABLE[KEY], parts.current.wanted):
        raise ApiError(409, "locked", f"{KEY} is set by {lock}, which is stronger than the database")


async def _views(parts: Parts) -> list[App]:
    attached, lines = await parts.apps.attached(), await parts.apps.lines()
    dialled = {app["name"]: app for app in without_tokens(parts.current.wanted.onebot_apps)}
    views = [
        App(**app, dialled=True, lines=_lines(lines.get(name, [])), **_state(attached.get(name)))
        for name, app in dialled.items()
    ]
    came = [one for name, one in attached.items() if name not in dialled]
    return views + [App(name=one.id, dialled=False, **_state(one)) for one in came]


def _lines(found: list[tuple[str, str, ToldLine]]) -> list[Line]:
    return [
        Line(bot=bot, nexus=nexus, state=one.state, since=one.since, error=one.error, attempts=one.attempts)
        for nexus, bot, one in found
    ]


def _state(one: SocketView | None) -> dict[str, Any]:
    if one is None:
        return {}
    shown = ("handled", "in_flight", "waiting", "lost", "response_ms")
    return {"attached": sorted(one.bots), **{name: one.presence.get(name, "0") for name in shown}}
