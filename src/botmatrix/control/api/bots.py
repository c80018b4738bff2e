"""The bots: who is online, since when, through which nexus."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from botmatrix.bus.presence import Presence
from botmatrix.control.auth import VIEWER
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.fields import Count, Number
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api/bots", tags=["bots"], dependencies=[VIEWER])


class Bot(BaseModel):
    """One bot. `bot` is `platform:self_id`; moments are unix seconds, 0 when unknown; `groups`: how many."""

    bot: str
    platform: str
    self_id: str
    state: str = "offline"
    since: Number = 0.0
    nickname: str = ""
    nexus: str = ""
    epoch: Count = 0
    remote: str = ""
    user_agent: str = ""
    groups: Count = 0
    received: Count = 0
    sent: Count = 0
    failed: Count = 0
    last_event_at: Number = 0.0


class Bots(Page):
    """A page of bots."""

    bots: list[Bot]


class OneBot(BaseModel):
    """One bot."""

    success: Literal[True] = True
    bot: Bot


_listing = listing("bot", "state", "nickname", "since", "received", "sent", "failed", "last_event_at", "groups")


@router.get("", responses=protected())
async def list_bots(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Bots:
    """Every bot that was ever here."""
    alive = await parts.presence.living_nexuses()
    return Bots(**wanted.cut([view(one, alive) for one in await parts.presence.bots()], "bots"))


@router.get("/{bot}", responses=protected(404))
async def get_bot(bot: str, parts: UsedParts) -> OneBot:
    """One bot by `platform:self_id`."""
    return OneBot(bot=await find(parts.presence, bot))


async def find(presence: Presence, bot: str) -> Bot:
    """A bot by `platform:self_id`, the platform in any case. Raises 404."""
    platform, _, self_id = bot.partition(":")
    fields = await presence.bot(f"{platform.lower()}:{self_id}")
    if fields is None:
        raise ApiError(404, "unknown_bot", "no bot with this id was ever here")
    return view(fields, await presence.living_nexuses())


def view(fields: dict[str, str], alive: set[str]) -> Bot:
    """A bot as its nexus last wrote it; offline when that nexus is gone."""
    platform, _, self_id = fields["bot"].partition(":")
    known: dict[str, Any] = {"platform": platform, "self_id": self_id, **fields}
    if fields.get("nexus", "") not in alive:
        known["state"] = "offline"
    return Bot.model_validate(known)
