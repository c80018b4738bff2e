"""The bots of this nexus that speak only HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from botmatrix.clock import Clock
from botmatrix.config.settings import HttpBot
from botmatrix.nexus.http.peer import HttpPeer
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.sockets.dial import Line


class HttpBots:
    """Keeps a peer for each; how they are is shown in `lines`. `banned` must be set before bots are kept."""

    def __init__(self, hub: Hub, lines: dict[str, Line], max_size: int, clock: Clock) -> None:
        self._hub, self._lines, self._max_size, self._clock = hub, lines, max_size, clock
        self._peers: dict[str, HttpPeer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.banned: Callable[[str], float] = lambda _key: 0.0

    def get(self, key: str) -> HttpPeer | None:
        """The peer of this bot, if it is kept here."""
        return self._peers.get(key)

    def keep(self, bot: HttpBot) -> None:
        """Serve this bot from now on."""
        peer = HttpPeer(bot, self._hub, self._max_size, self._clock, lambda key: self.banned(key))
        self._peers[bot.key] = peer
        self._lines[peer.line.name] = peer.line
        self._tasks[bot.key] = asyncio.create_task(peer.run(), name=f"bot {bot.key} over HTTP")

    def drop(self, bot: HttpBot) -> None:
        """Serve it no more."""
        peer = self._peers.pop(bot.key, None)
        if peer is not None:
            self._lines.pop(peer.line.name, None)
            ending = asyncio.create_task(_end(self._tasks.pop(bot.key), peer), name=f"end of {peer.line.name}")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Serve nobody any more."""
        for peer in list(self._peers.values()):
            self.drop(peer.bot)
        await asyncio.gather(*self._ending, return_exceptions=True)


async def _end(task: asyncio.Task[None], peer: HttpPeer) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await peer.close()
