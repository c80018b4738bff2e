"""The groups that bots are in, or that spoke where a bot could hear it."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from botmatrix.control.auth import VIEWER
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.store.seen import GROUP_SORTS, GroupRow

router = APIRouter(prefix="/api/groups", tags=["bots"], dependencies=[VIEWER])


class Group(BaseModel):
    """One group. `group` is `platform:id`; moments are unix seconds; `messages_today`: of the day (UTC)."""

    group: str
    platform: str
    group_id: str
    name: str
    bots: list[str]
    first_seen: float
    last_seen: float
    messages_today: int


class Groups(Page):
    """A page of groups."""

    groups: list[Group]


_listing = listing(*GROUP_SORTS)


@router.get("", responses=protected())
async def list_groups(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Groups:
    """Every group, with the bots that are in it."""
    rows, total = await parts.seen.groups(query=wanted.q, sort=wanted.sort, limit=wanted.size, offset=wanted.offset)
    said = await parts.core_box.counts_of(_today(), "group", [_name(row) for row in rows])
    return Groups(groups=[_view(row, said) for row in rows], total=total, page=wanted.page, size=wanted.size)


def _view(row: GroupRow, said: dict[str, int]) -> Group:
    group = row.group
    return Group(
        group=_name(row),
        platform=group.platform,
        group_id=group.group_id,
        name=group.name,
        bots=row.bots,
        first_seen=group.first_seen.timestamp(),
        last_seen=group.last_seen.timestamp(),
        messages_today=said.get(_name(row), 0),
    )


def _name(row: GroupRow) -> str:
    return f"{row.group.platform}:{row.group.group_id}"


def _today() -> str:
    return time.strftime("%Y%m%d", time.gmtime())
