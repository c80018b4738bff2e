"""API keys: tokens for programs, of which only the SHA-256 is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, func, or_, select, update

from botmatrix.errors import BotMatrixError
from botmatrix.store.engine import Database
from botmatrix.store.tables import ApiKey, Role, User
from botmatrix.store.text import label, line
from botmatrix.store.tokens import digest, new_token

PREFIX: Final = "bmk_"
MOST: Final = 50
"""Keys that one user may have."""
USED_EVERY: Final = timedelta(minutes=1)
"""`last_used_at` is no finer than this."""
_SHOWN: Final = len(PREFIX) + 6
_STALE: Final = or_(
    ApiKey.last_used_at.is_(None),
    ApiKey.last_used_at < func.now() - USED_EVERY,
    ApiKey.last_address != bindparam("from_address"),
)
_HOLDER: Final = (  # asked with every request, so that it is put together once
    select(ApiKey, User, _STALE)
    .join(User, User.id == ApiKey.user_id)
    .where(
        ApiKey.token_hash == bindparam("hash"),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
        User.disabled.is_(False),
    )
)


class UnknownKey(BotMatrixError):
    """There is no such key, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__("there is no API key with this id")


class TooManyKeys(BotMatrixError):
    """The user has as many keys as one may have."""

    def __init__(self) -> None:
        super().__init__(f"one user may have {MOST} API keys: delete one that is not used any more")


class HeldKey(NamedTuple):
    """A key and its owner."""

    key: ApiKey
    user: User

    @property
    def role(self) -> Role:
        """What the key may do now."""
        return self.user.role.at_most(self.key.scope)


class ApiKeys:
    """The table of API keys. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user: User, name: str, scope: Role, expires_at: datetime | None) -> tuple[str, ApiKey]:
        """A new key: its token, which is nowhere else, and its row. Raises `BadValue`, `TooManyKeys`.

        The scope is an upper limit: a key can never do more than its owner can at that moment.
        """
        token = new_token(PREFIX)
        key = ApiKey(
            user_id=user.id,
            name=label("name", name),
            scope=scope,
            token_hash=digest(token),
            hint=token[:_SHOWN],
            expires_at=expires_at,
        )
        async with self._database.session() as session:
            await session.execute(select(User.id).where(User.id == user.id).with_for_update())  # one new key at a time
            mine = select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user.id)
            if (await session.scalar(mine) or 0) >= MOST:
                raise TooManyKeys
            session.add(key)
            await session.flush()
            await session.refresh(key)
        return token, key

    async def holder(self, token: str, *, address: str) -> HeldKey | None:
        """The key with this token; None when it is unknown or expired, or its owner is disabled."""
        if not token.startswith(PREFIX):
            return None
        address = line(address, 64)
        asked = {"hash": digest(token), "from_address": address}
        async with self._database.glance() as session:
            row = (await session.execute(_HOLDER, asked)).one_or_none()
            if row is None:
                return None
            key, user, stale = row
            if stale:
                seen = {"last_used_at": func.now(), "last_address": address}
                await session.execute(update(ApiKey).where(ApiKey.id == key.id).values(seen))
            return HeldKey(key, user)

    async def list(self, *, user_id: int | None = None) -> Sequence[HeldKey]:
        """The keys of one user, or of everybody, by name."""
        query = select(ApiKey, User).join(User, User.id == ApiKey.user_id).order_by(ApiKey.name, ApiKey.id)
        if user_id is not None:
            query = query.where(ApiKey.user_id == user_id)
        async with self._database.session() as session:
            return [HeldKey(*row) for row in await session.execute(query)]

    async def get(self, key_id: int) -> HeldKey:
        """One key. Raises `UnknownKey`."""
        query = select(ApiKey, User).join(User, User.id == ApiKey.user_id).where(ApiKey.id == key_id)
        async with self._database.session() as session:
            row = (await session.execute(query)).one_or_none()
        if row is None:
            raise UnknownKey
        return HeldKey(*row)

    async def delete(self, key_id: int) -> None:
        """Void a key at once."""
        async with self._database.session() as session:
            await session.execute(delete(ApiKey).where(ApiKey.id == key_id))
