"""Which of several bots in one group answers."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER, Asker
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.onebot.ids import plain_key
from botmatrix.routing.groups import KEY_PATTERN, MOST_BOTS, GroupPolicy, PlatformKey, Policy, with_policy

router = APIRouter(prefix="/api/admin/group-policies", tags=["groups"])


class Shown(BaseModel):
    """A group's policy. `heard`: which bots were heard in the group and when last, unix seconds.

    `bots`: who answers, the first one first; empty: whoever was heard, in the order of their keys.
    """

    group: str
    policy: Policy
    bots: list[str]
    since: int
    heard: dict[str, int] = {}


class Policies(Page):
    """A page of groups; one that is not among them has the policy `all`."""

    groups: list[Shown]


class Wanted(BaseModel):
    """A policy for one group. `group` and `bots` are `platform:id`."""

    model_config = ConfigDict(extra="forbid")

    group: PlatformKey
    policy: Policy
    bots: Annotated[list[PlatformKey], Field(max_length=MOST_BOTS)] = []


class Saved(BaseModel):
    """The group as it is now. `published`: Redis has it, so every nexus acts by it within a second."""

    success: Literal[True] = True
    group: Shown
    published: bool


class Deleted(BaseModel):
    """The group has the policy `all` again."""

    success: Literal[True] = True
    group: str
    published: bool


_listing = listing("group", "policy", "since")


@router.get("", responses=protected(), dependencies=[VIEWER])
async def list_policies(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Policies:
    """Every group that has a policy."""
    heard: dict[str, dict[str, int]] = {}
    for (group, bot), moment in (await parts.groups_box.heard()).items():
        heard.setdefault(group, {})[bot] = moment
    groups = (await parts.groups.current()).config.groups
    rows = [_shown(group, one, heard.get(group, {})) for group, one in groups.items()]
    return Policies(**wanted.cut(rows, "groups"))


@router.post("", responses=protected(), dependencies=[ADMIN])
async def save_policy(wanted: Wanted, parts: UsedParts, asker: Asker, note: Noting) -> Saved:
    """Set the policy of a group."""
    before = (await parts.groups.current()).config.groups.get(wanted.group)
    policy = GroupPolicy(policy=wanted.policy, bots=wanted.bots, since=int(time.time()))
    saved = await parts.groups.change(lambda all_: with_policy(all_, wanted.group, policy), asker.user.username)
    note.say("group.policy", wanted.group, before=_said(before), after=_said(policy))
    return Saved(group=_shown(wanted.group, policy, {}), published=saved.published)


@router.delete("", responses=protected(404), dependencies=[ADMIN])
async def delete_policy(
    parts: UsedParts, asker: Asker, note: Noting, group: Annotated[str, Query(pattern=KEY_PATTERN)]
) -> Deleted:
    """Drop the policy of a group: every bot answers there again."""
    group = plain_key(group)
    before = (await parts.groups.current()).config.groups.get(group)
    if before is None:
        raise ApiError(404, "unknown_group", f"{group} has no policy")
    saved = await parts.groups.change(lambda all_: with_policy(all_, group, None), asker.user.username)
    note.say("group.policy", group, before=_said(before))
    return Deleted(group=group, published=saved.published)


def _shown(group: str, policy: GroupPolicy, heard: dict[str, int]) -> Shown:
    return Shown(group=group, policy=policy.policy, bots=policy.bots, since=policy.since, heard=heard)


def _said(policy: GroupPolicy | None) -> dict[str, Any] | None:
    return None if policy is None else {"policy": policy.policy.value, "bots": policy.bots}
