"""The bots: who is online, since when, through which nexus; and those that were here once."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from botmatrix.control.auth import VIEWER
from botmatrix.control.bot_list import SORTS, bot_page, described
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.fields import Count, Number
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import Parts, UsedParts

router = APIRouter(prefix="/api/bots", tags=["bots"], dependencies=[VIEWER])


class Bot(BaseModel):
    """One bot. `bot` is `platform:self_id`; moments are unix seconds, 0 when unknown; `groups`: how many.

    `received`, `sent` and `failed` are those of its nexus since that started; with `total_`, of all time.
    """

    bot: str
    platform: str
    self_id: str
    state: str = "offline"
    since: Number = 0.0
    nickname: str = ""
    nexus: str = ""
    epoch: Count = 0
    link: str = ""
    remote: str = ""
    user_agent: str = ""
    groups: Count = 0
    received: Count = 0
    sent: Count = 0
    failed: Count = 0
    last_event_at: Number = 0.0
    first_seen: Number = 0.0
    last_seen: Number = 0.0
    total_received: Count = 0
    total_sent: Count = 0
    total_failed: Count = 0


class Bots(Page):
    """A page of bots."""

    bots: list[Bot]


class OneBot(BaseModel):
    """One bot."""

    success: Literal[True] = True
    bot: Bot


_listing = listing(*SORTS)


@router.get("", responses=protected())
async def list_bots(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Bots:
    """Every bot that was ever here."""
    page, total = await bot_page(parts.presence, parts.seen, wanted)
    return Bots(bots=[Bot.model_validate(row) for row in page], total=total, page=wanted.page, size=wanted.size)


@router.get("/{bot}", responses=protected(404))
async def get_bot(bot: str, parts: UsedParts) -> OneBot:
    """One bot by `platform:self_id`."""
    return OneBot(bot=await find(parts, bot))


async def find(parts: Parts, bot: str) -> Bot:
    """A bot by `platform:self_id`, the platform in any case. Raises 404."""
    key = key_of(bot)
    platform, _, self_id = key.partition(":")
    live = await parts.presence.bot(key)
    seen = await parts.seen.bot(platform, self_id)
    if live is None and seen is None:
        raise ApiError(404, "unknown_bot", "no bot with this id was ever here")
    return Bot.model_validate(described(key, live or {}, seen, await parts.presence.living_nexuses()))


def key_of(bot: str) -> str:
    """`platform:self_id` with the platform as it is kept. Raises 404 for what can be no bot."""
    platform, _, self_id = bot.partition(":")
    if not platform or not self_id or not bot.isprintable() or len(bot) > 160:
        raise ApiError(404, "unknown_bot", "a bot is called platform:self_id, as in qq:10001")
    return f"{platform.lower()}:{self_id}"
