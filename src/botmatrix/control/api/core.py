"""CorePlugin: who may speak, what may be said; and what that came to today."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ValidationError

from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER, Asker
from botmatrix.control.errors import protected
from botmatrix.control.keeper import Current
from botmatrix.control.parts import UsedParts
from botmatrix.core.config import CoreConfig, changed, difference
from botmatrix.store.tables import Role

router = APIRouter(prefix="/api", tags=["core"])


class Core(BaseModel):
    """The configuration in force. `published`: Redis has it, so every nexus acts by it within a second."""

    success: Literal[True] = True
    version: int
    published: bool
    config: CoreConfig


class Ranked(BaseModel):
    """A `platform:id` (or a reason) and its messages of the day; `other` stands for all beyond 10,000."""

    name: str
    messages: int


class BlockedMessage(BaseModel):
    """A message that was blocked. `t`: ms of unix time; `text`: its first 80 characters, for operators only."""

    t: int
    bot: str
    user: str
    group: str
    reason: str
    text: str


class ChatStatistics(BaseModel):
    """Messages of one day (UTC, `20260131`), and the last that were blocked on any day, newest first."""

    success: Literal[True] = True
    day: str
    users: list[Ranked]
    groups: list[Ranked]
    bots: list[Ranked]
    blocked_by_reason: list[Ranked]
    blocked: list[BlockedMessage]


@router.get("/admin/core", responses=protected(), dependencies=[VIEWER])
async def read_core(parts: UsedParts) -> Core:
    """What the judge goes by."""
    return _view(await parts.core.current())


@router.post("/admin/core", responses=protected(), dependencies=[ADMIN])
async def change_core(patch: CoreConfig, parts: UsedParts, asker: Asker, note: Noting) -> Core:
    """Change what the body names, and nothing else: sections are merged, lists and values replaced.

    `sensitive_words.robot` and `.group` are replaced as a whole. Refused as a whole when anything in it is wrong.
    """
    named = patch.model_dump(exclude_unset=True)
    done = await parts.core.change(lambda config: changed(config, named), asker.user.username)
    before, after = difference(done.before, done.config)
    note.say("core.change", "core", before=before, after=after)
    return _view(done)


@router.get("/stats/chat", responses=protected(), dependencies=[VIEWER])
async def chat_statistics(
    parts: UsedParts, asker: Asker, top: Annotated[int, Query(ge=1, le=1000)] = 20
) -> ChatStatistics:
    """Who says how much today, and what was blocked."""
    day = time.strftime("%Y%m%d", time.gmtime())
    box = parts.core_box
    users, groups, bots, reasons = [
        [Ranked(name=one.name, messages=one.messages) for one in await box.top(day, kind, top)]
        for kind in ("user", "group", "bot", "reason")
    ]
    blocked = list(_readable(await box.blocked(), reads=asker.role.covers(Role.OPERATOR)))
    return ChatStatistics(day=day, users=users, groups=groups, bots=bots, blocked_by_reason=reasons, blocked=blocked)


def _readable(found: Iterable[bytes], *, reads: bool) -> Iterator[BlockedMessage]:
    """What Redis holds, but for what is none; without what people wrote unless the asker `reads` that."""
    for one in found:
        try:
            message = BlockedMessage.model_validate_json(one)
        except ValidationError:
            continue
        yield message if reads else message.model_copy(update={"text": ""})


def _view(current: Current[CoreConfig]) -> Core:
    return Core(version=current.version, published=current.published, config=current.config)
