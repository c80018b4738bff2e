"""The operation log: who changed what, when, from where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from botmatrix.control.auth import ADMIN
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.store.operations import SORTS

router = APIRouter(prefix="/api/audit", tags=["audit"], dependencies=[ADMIN])


class Entry(BaseModel):
    """One change. `via`: `login`, `key:` with the key's name, or `cli`. Secrets are masked."""

    id: int
    at: datetime
    who: str
    via: str
    what: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str


class Entries(Page):
    """A page of the log; `q` looks into every text of an entry."""

    audit: list[Entry]


_listing = listing(*SORTS, default="-at")


@router.get("", responses=protected())
async def list_audit(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Entries:
    """The log, newest first."""
    found, total = await parts.operations.list(
        query=wanted.q, sort=wanted.sort, limit=wanted.size, offset=wanted.offset
    )
    entries = [Entry.model_validate(one, from_attributes=True) for one in found]
    return Entries(audit=entries, total=total, page=wanted.page, size=wanted.size)
