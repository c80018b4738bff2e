"""Tags on groups and friends, by which tasks reach them. 409 while the skill system is off."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from botmatrix.control.api.tasks import Desk, Name
from botmatrix.control.audit import Noting
from botmatrix.control.auth import OPERATOR, VIEWER
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.store.tags import Tagged
from botmatrix.tasks.definition import label
from botmatrix.tasks.ids import id_text
from botmatrix.tasks.model import TargetType

router = APIRouter(prefix="/api/tags", tags=["tasks"])


class Tag(BaseModel):
    """One tag on one group or friend."""

    name: str
    platform: str
    target_type: TargetType
    target_id: str


class Tags(Page):
    """A page of tags."""

    tags: list[Tag]


class TagChange(BaseModel):
    """Put a tag on a group or friend, or take it off."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["add", "remove"]
    tag_name: Name
    target_type: TargetType
    target_id: Annotated[StrictStr, Field(min_length=1, max_length=128)] | Annotated[StrictInt, Field(ge=1, lt=2**63)]
    platform: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,32}$")] = "qq"


class Changed(BaseModel):
    """The tag. `changed` is false when it was as wanted already."""

    success: Literal[True] = True
    changed: bool
    tag: Tag


_listing = listing("name")


@router.get("", responses=protected(409), dependencies=[VIEWER])
async def list_tags(desk: Desk, wanted: Annotated[Listing, Depends(_listing)]) -> Tags:
    """Every tag, by name. `q` is searched in names and ids."""
    found, total = await desk.tags.find(q=wanted.q, limit=wanted.size, offset=wanted.offset)
    rows = [Tag(name=t.name, platform=t.platform, target_type=TargetType(t.type), target_id=t.target_id) for t in found]
    return Tags(tags=rows, total=total, page=wanted.page, size=wanted.size)


@router.post("", responses=protected(409), dependencies=[OPERATOR])
async def change_tags(body: TagChange, desk: Desk, note: Noting) -> Changed:
    """Add or remove a tag; tasks that reach others by it count it from their next run on."""
    target_id = id_text("target_id", body.target_id)
    tagged = Tagged(label("tag_name", body.tag_name), body.platform.lower(), body.target_type, target_id)
    changed = await (desk.tags.add(tagged) if body.action == "add" else desk.tags.remove(tagged))
    tag = Tag(name=tagged.name, platform=tagged.platform, target_type=tagged.type, target_id=target_id)
    note.say(f"tag.{body.action}", f"{tag.name} {tag.platform}:{tag.target_type}:{tag.target_id}")
    return Changed(changed=changed, tag=tag)
