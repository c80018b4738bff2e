"""What was said, to bots and by them: history and search."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from botmatrix.control.auth import OPERATOR
from botmatrix.control.errors import protected
from botmatrix.control.moments import From, To, span
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.store.history import Wanted

router = APIRouter(prefix="/api/messages", tags=["history"], dependencies=[OPERATOR])

Name = Annotated[str, Query(max_length=128)]


class Message(BaseModel):
    """One message. `state` of `in`: `passed`, or why it was blocked; of `out`: `done`, `failed`, `unknown`, `expired`.

    `event_id` leads to its trace, `message_id` is the platform's own.
    """

    id: str
    at: datetime
    event_id: str
    direction: Literal["in", "out"]
    bot: str
    conv: str
    user_id: str
    group_id: str
    message_id: str
    state: str
    text: str


class Messages(Page):
    """A page of messages; the first 10,000 are counted and can be paged through."""

    messages: list[Message]


_listing = listing("at", default="-at")


@router.get("", responses=protected())
async def list_messages(
    parts: UsedParts,
    wanted: Annotated[Listing, Depends(_listing)],
    start: From = "",
    to: To = "",
    bot: Name = "",
    user: Name = "",
    group: Name = "",
    direction: Literal["", "in", "out"] = "",
) -> Messages:
    """Messages of the last 24 hours, or of the time asked for, newest first; `q`: a part of the text."""
    since, until = span(start, to)
    found, total = await parts.history.messages(
        Wanted(
            start=since,
            end=until,
            bot=bot,
            user=user,
            group=group,
            q=wanted.q,
            direction=direction,
            oldest_first=not wanted.sort.startswith("-"),
            limit=wanted.size,
            offset=wanted.offset,
        )
    )
    rows = [Message.model_validate(one, from_attributes=True) for one in found]
    return Messages(messages=rows, total=total, page=wanted.page, size=wanted.size)
