"""Cleans up behind nexuses that are gone: their unsent actions go to whoever has the bot now."""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from botmatrix.bus.actions import KEEP_SECONDS
from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import RESCUE
from botmatrix.errors import EngineUnavailable

log = structlog.get_logger("reaper")
EVERY = 1.0


class Reaper:
    """Every nexus runs one; the script makes the work of several safe."""

    def __init__(self, client: Client, keys: Keys, inc: str) -> None:
        self._client, self._keys, self._inc = client, keys, inc
        self._now = asyncio.Event()
        self.counters: Counter[str] = Counter()

    def soon(self) -> None:
        """A bot has moved here: its actions may be waiting elsewhere."""
        self._now.set()

    async def run(self) -> None:
        """Once a second, and when asked."""
        while True:
            try:
                await self.rescue()
            except EngineUnavailable:
                log.debug("nothing is rescued: Redis is away")
            except ReplyError as error:
                log.error("actions can't be rescued", error=str(error))
            await asyncio.sleep(EVERY / 4)
            try:
                async with asyncio.timeout(EVERY):
                    await self._now.wait()
            except TimeoutError:
                pass
            self._now.clear()

    async def rescue(self) -> None:
        """One pass over the dead nexuses and the orphans."""
        k = self._keys
        incs = [member.decode(errors="replace") for member in await self._client.call("SMEMBERS", k.nexuses)]
        for inc in (*(inc for inc in incs if inc != self._inc), ""):
            try:
                await self._rescue(inc)
            except ReplyError as error:
                log.error("actions can't be rescued", nexus=inc, error=str(error))

    async def _rescue(self, inc: str) -> None:
        k = self._keys
        keys = [k.actions(inc) if inc else k.orphans, k.nexuses, k.stats]
        moved, unknown, expired, _ = await self._client.run(RESCUE, keys, inc, k.prefix, k.lease(""), KEEP_SECONDS)
        self.counters["actions_rescued"] += moved
        if unknown or expired:
            log.warning("actions of a nexus that is gone", nexus=inc, perhaps_sent=unknown, expired=expired)
