"""Which socket workers were asked to take nothing new (`botmatrix worker drain`)."""

from __future__ import annotations

import asyncio

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.sockets.workers import SocketWorkers

log = structlog.get_logger("sockets")
EVERY = 1.0


class Drains:
    """Looks once a second. While Redis is away it is as it was."""

    def __init__(self, client: Client, keys: Keys, sockets: SocketWorkers) -> None:
        self._client, self._keys, self._sockets = client, keys, sockets

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("who drains is not known", error=str(error))
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Learn who drains now, of those that are here."""
        ids = list(self._sockets.workers)
        asked = await self._client.pipeline(*(("EXISTS", self._keys.drain(one)) for one in ids)) if ids else []
        self._sockets.drain(one for one, is_asked in zip(ids, asked, strict=True) if is_asked == 1)
