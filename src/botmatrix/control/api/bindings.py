"""Being oneself in a chat: codes for `/bind CODE`, and who is bound."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from botmatrix.bus.binding import LIFETIME, TRIES
from botmatrix.control.audit import Noting
from botmatrix.control.auth import InPerson, require_reach, whose
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.store.bindings import Binding, UnknownBinding

router = APIRouter(prefix="/api/user", tags=["login"])


class Code(BaseModel):
    """A one-time code, shown this once. `say`: what to write to a bot in private, until `expires_at`."""

    success: Literal[True] = True
    code: str
    say: str
    expires_at: datetime
    tries: int


class Bound(BaseModel):
    """Somebody on a chat platform (`platform:user_id`), and which user they are.

    `counts`: whether that makes them a chat administrator now.
    """

    identity: str
    username: str
    counts: bool
    created_at: datetime

    @classmethod
    def of(cls, binding: Binding) -> Bound:
        """The public side of a row."""
        row = binding.row
        return cls(
            identity=row.identity,
            username=binding.user.username,
            counts=binding.counts,
            created_at=row.created_at,
        )


class BoundPeople(Page):
    """A page of bindings."""

    bindings: list[Bound]


class Unbound(BaseModel):
    """A binding that has ended."""

    success: Literal[True] = True
    binding: Bound


_listing = listing("identity", "username", "created_at")


@router.post("/bind", responses=protected())
async def offer_code(asker: InPerson, parts: UsedParts, note: Noting) -> Code:
    """A code with which one becomes oneself in a chat; an earlier one is void."""
    expires_at = datetime.now(UTC) + timedelta(seconds=LIFETIME)
    code = await parts.binding_keeper.offer(asker.user.id)
    note.say("user.code", asker.user.username)
    return Code(code=code, say=f"/bind {code}", expires_at=expires_at, tries=TRIES)


@router.get("/bindings", responses=protected())
async def list_bindings(
    asker: InPerson,
    parts: UsedParts,
    wanted: Annotated[Listing, Depends(_listing)],
    everybody: Annotated[bool, Query(alias="all", description="Everybody's; needs an administrator.")] = False,
) -> BoundPeople:
    """Who in a chat one is; with `all=true` everybody's."""
    found = await parts.bindings.list(user_id=whose(asker, everybody))
    return BoundPeople(**wanted.cut([Bound.of(one) for one in found], "bindings"))


@router.delete("/bindings", responses=protected(404))
async def unbind(
    asker: InPerson,
    parts: UsedParts,
    note: Noting,
    identity: Annotated[str, Query(max_length=200, pattern=r"^[A-Za-z0-9_\-]+:[^\x00-\x1f\x7f]+$")],
) -> Unbound:
    """End a binding within a second; an administrator those of others too."""
    binding = await parts.bindings.get(identity)
    require_reach(asker, binding.user, UnknownBinding())
    await parts.binding_keeper.end(identity)
    note.say("user.unbind", identity, before={"username": binding.user.username})
    return Unbound(binding=Bound.of(binding))
