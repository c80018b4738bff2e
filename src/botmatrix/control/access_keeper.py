"""Bots' tokens and bans: PostgreSQL keeps them, Redis carries their digests to every nexus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from botmatrix.bus.access import Access, AccessBox, version_of
from botmatrix.bus.client import ReplyError
from botmatrix.errors import EngineUnavailable
from botmatrix.store.access import BotAccesses
from botmatrix.store.tables import BotAccess

EVERY: Final = 5.0
"""Seconds between two looks whether Redis holds what the table says."""
_TRIES: Final = 10

log = structlog.get_logger(__name__)


class AccessKeeper:
    """Changes who may connect as a bot; keeps Redis in step. Every method raises `EngineUnavailable`."""

    def __init__(self, box: AccessBox, accesses: BotAccesses) -> None:
        self._box, self._accesses = box, accesses

    async def run(self) -> None:
        """Compare every 5 s."""
        while True:
            try:
                await self.publish()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("bots' tokens could not be compared", reason=str(error))
            await asyncio.sleep(EVERY)

    async def publish(self) -> None:
        """Bring what the table says to Redis."""
        for _ in range(_TRIES):
            # The version first: what is written in place of it is then at least as new.
            expected = await self._box.version()
            document = _access(await self._accesses.rows()).encode()
            if version_of(document) == expected or await self._box.write(document, expected=expected):
                return
        raise EngineUnavailable("bots' tokens", "they are being changed by others without a pause", "Try again")

    async def get(self, bot: str) -> BotAccess | None:
        """What is known of one bot."""
        return await self._accesses.get(bot)

    async def generate(self, bot: str, by: str) -> str:
        """A new token of the bot's own; its links with another token are closed."""
        token = await self._accesses.generate(bot, by)
        await self._publish_soon()
        return token

    async def set(self, bot: str, token: str, by: str) -> None:
        """A token that somebody chose. Raises `BadValue`."""
        await self._accesses.set(bot, token, by)
        await self._publish_soon()

    async def clear(self, bot: str, by: str) -> None:
        """The common token counts again."""
        await self._accesses.clear(bot, by)
        await self._publish_soon()

    async def kick(self, bot: str, by: str, *, ban: float = 0.0) -> None:
        """Close the bot's links wherever they are; refuse new ones for `ban` seconds."""
        until = datetime.now(UTC) + timedelta(seconds=ban) if ban else None
        await self._accesses.kick(bot, by, banned_until=until)
        await self._publish_soon()

    async def _publish_soon(self) -> None:
        """The change is saved: while Redis is away, `run` carries it over when it is back."""
        try:
            await self.publish()
        except EngineUnavailable as error:
            log.warning("saved, and published when Redis is back", reason=str(error))


def _access(rows: Sequence[BotAccess]) -> Access:
    return Access(
        tokens={one.bot: one.token_hash.hex() for one in rows if one.token_hash is not None},
        bans={one.bot: one.banned_until.timestamp() for one in rows if one.banned_until is not None},
        kicks={one.bot: one.kicks for one in rows if one.kicks},
    )
