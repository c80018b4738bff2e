"""API keys: for programs that ask in one's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.control.audit import Noting
from botmatrix.control.auth import InPerson, require_reach, whose
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.store.api_keys import HeldKey, UnknownKey
from botmatrix.store.tables import Role
from botmatrix.store.users import AboveYou

router = APIRouter(prefix="/api/keys", tags=["login"])


class Key(BaseModel):
    """One API key. `scope`: what it may do at most; `may`: what it may do now, as its owner may not do more.

    `hint` is how the key begins. `last_used_at` is no finer than a minute.
    """

    id: int
    name: str
    username: str
    scope: Role
    may: Role
    hint: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_address: str

    @classmethod
    def of(cls, held: HeldKey) -> Key:
        """The public side of a row."""
        key = held.key
        return cls(
            id=key.id,
            name=key.name,
            username=held.user.username,
            scope=key.scope,
            may=held.role,
            hint=key.hint,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            last_address=key.last_address,
        )


class Keys(Page):
    """A page of API keys."""

    keys: list[Key]


class NewKey(BaseModel):
    """A key to be made. Without `expires_in_days` it is valid until it is deleted."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@+\-][\w .@+\-]*$")]
    scope: Literal["viewer", "operator", "admin"]
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class MadeKey(BaseModel):
    """A new key. `token` is shown this once and stored nowhere; it goes into `Authorization: Bearer`."""

    success: Literal[True] = True
    key: Key
    token: str


class DeletedKey(BaseModel):
    """A key that is void."""

    success: Literal[True] = True
    key: Key


_listing = listing("name", "username", "scope", "created_at", "expires_at", "last_used_at")


@router.get("", responses=protected())
async def list_keys(
    asker: InPerson,
    parts: UsedParts,
    wanted: Annotated[Listing, Depends(_listing)],
    everybody: Annotated[bool, Query(alias="all", description="Everybody's; needs an administrator.")] = False,
) -> Keys:
    """One's API keys; with `all=true` everybody's."""
    found = await parts.keys.list(user_id=whose(asker, everybody))
    return Keys(**wanted.cut([Key.of(one) for one in found], "keys"))


@router.post("", responses=protected(409))
async def make_key(body: NewKey, asker: InPerson, parts: UsedParts, note: Noting) -> MadeKey:
    """Make an API key of one's own, with no more rights than one has."""
    scope = Role(body.scope)
    if not asker.role.covers(scope):
        raise AboveYou(scope)
    days = body.expires_in_days
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    token, key = await parts.keys.create(asker.user, body.name, scope, expires_at)
    note.say("key.create", key.name, after={"id": key.id, "scope": scope, "expires_in_days": days})
    return MadeKey(key=Key.of(HeldKey(key, asker.user)), token=token)


@router.delete("", responses=protected(404))
async def delete_key(
    asker: InPerson,
    parts: UsedParts,
    note: Noting,
    key_id: Annotated[int, Query(alias="id", ge=1, le=2**63 - 1)],
) -> DeletedKey:
    """Void a key at once; an administrator those of others too."""
    held = await parts.keys.get(key_id)
    require_reach(asker, held.user, UnknownKey())
    await parts.keys.delete(key_id)
    before = {"id": key_id, "scope": held.key.scope, "username": held.user.username}
    note.say("key.delete", held.key.name, before=before)
    return DeletedKey(key=Key.of(held))
