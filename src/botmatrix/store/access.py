"""Bots' own tokens, of which only the SHA-256 is stored, and who was sent away until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from botmatrix.store.engine import Database
from botmatrix.store.tables import BotAccess
from botmatrix.store.text import BadValue
from botmatrix.store.tokens import digest, new_token

PREFIX: Final = "bmb_"
TOKEN_LENGTH: Final = (12, 256)
_SHOWN: Final = 4
_HINTED: Final = 24
"""Characters from which on the first few of a token tell nothing."""


class BotAccesses:
    """The table `bot_access`. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, bot: str) -> BotAccess | None:
        """The row of one bot (`platform:self_id`)."""
        async with self._database.session() as session:
            return await session.get(BotAccess, bot)

    async def generate(self, bot: str, by: str) -> str:
        """Give the bot a new token of its own: the token, which is nowhere else."""
        token = new_token(PREFIX)
        await self._put(bot, by, token_hash=digest(token), hint=token[: len(PREFIX) + _SHOWN])
        return token

    async def set(self, bot: str, token: str, by: str) -> None:
        """Give the bot a token that somebody chose. Raises `BadValue`."""
        shortest, longest = TOKEN_LENGTH
        if not shortest <= len(token) <= longest:
            raise BadValue("token", f"must have {shortest} to {longest} characters")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise BadValue("token", "must be letters, digits and signs of ASCII, without spaces")
        await self._put(bot, by, token_hash=digest(token), hint=token[:_SHOWN] if len(token) >= _HINTED else "")

    async def clear(self, bot: str, by: str) -> None:
        """Take the bot's own token away: the common one counts again."""
        await self._put(bot, by, token_hash=None, hint="")

    async def kick(self, bot: str, by: str, *, banned_until: datetime | None = None) -> None:
        """Close the bot's links, and refuse new ones until then."""
        values = {"kicks": 1, "banned_until": banned_until, "updated_by": by}
        fresh = insert(BotAccess).values(bot=bot, **values)
        again = {**values, "kicks": BotAccess.kicks + 1, "updated_at": func.now()}
        async with self._database.session() as session:
            await session.execute(fresh.on_conflict_do_update(index_elements=[BotAccess.bot], set_=again))

    async def rows(self) -> Sequence[BotAccess]:
        """All that every nexus has to know of."""
        query = select(BotAccess).where(or_(BotAccess.token_hash.is_not(None), BotAccess.kicks > 0))
        async with self._database.session() as session:
            return (await session.scalars(query)).all()

    async def _put(self, bot: str, by: str, **values: Any) -> None:
        values |= {"updated_by": by}
        fresh = insert(BotAccess).values(bot=bot, **values)
        again = {**values, "updated_at": func.now()}
        async with self._database.session() as session:
            await session.execute(fresh.on_conflict_do_update(index_elements=[BotAccess.bot], set_=again))
