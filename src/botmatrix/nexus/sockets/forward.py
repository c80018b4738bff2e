"""Bots whose own server is dialled or asked over HTTP: by one nexus at a time, which holds a lease for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Protocol

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.sockets.servers import AnyBot, bot_line

log = structlog.get_logger("dial")
EVERY = 2.0
LEASE_MS = 10_000


class Keeper(Protocol):
    """Whoever has a link to a bot's server from `keep` to `drop`."""

    def keep(self, server: AnyBot) -> None: ...

    def drop(self, server: AnyBot) -> None: ...


class ForwardBots:
    """Keeps the servers of `bots` whose lease it holds; keeps what it has while Redis is away."""

    def __init__(self, dialled: Keeper, client: Client, keys: Keys, inc: str) -> None:
        self._dialled = dialled
        self._client, self._keys, self._inc = client, keys, inc
        self._servers: dict[str, AnyBot] = {}
        self._held: dict[str, AnyBot] = {}
        self._changed = asyncio.Event()
        self._stopped = False

    def configure(self, servers: Iterable[AnyBot]) -> None:
        """Dial these from now on."""
        self._servers = {bot_line(server): server for server in servers}
        for name in [name for name, server in self._held.items() if self._servers.get(name) != server]:
            self._dialled.drop(self._held.pop(name))
        self._changed.set()

    async def run(self) -> None:
        """Take and renew leases, for ever."""
        while True:
            self._changed.clear()
            for name, server in list(self._servers.items()):
                try:
                    mine = await self._lease(name)
                except (EngineUnavailable, ReplyError) as error:
                    log.debug("who dials a bot can't be agreed on: Redis is away", error=str(error))
                    break
                if self._servers.get(name) == server:  # else the settings have changed while Redis was asked
                    self._hold(name, server, mine)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), EVERY)

    async def take(self, server: AnyBot) -> None:
        """The bot itself came to this nexus: it is kept here from now on; while Redis is away, without a lease."""
        name = bot_line(server)
        try:
            await self._client.call("SET", self._keys.dialler(name), self._inc, "PX", LEASE_MS)
        except (EngineUnavailable, ReplyError) as error:
            log.debug("a bot is kept without a lease: Redis is away", bot=name, error=str(error))
        if self._servers.get(name) == server:
            self._hold(name, server, True)

    async def release(self) -> None:
        """At an orderly stop: another nexus may dial at once."""
        with contextlib.suppress(EngineUnavailable, ReplyError, TimeoutError):
            for name in self._held:
                await self._client.call("DEL", self._keys.dialler(name))

    def stop(self) -> None:
        """Keep no more servers; the leases stay until `release`."""
        self._stopped = True

    def _hold(self, name: str, server: AnyBot, mine: bool) -> None:
        if self._stopped:
            return
        if mine and name not in self._held:
            self._held[name] = server
            self._dialled.keep(server)
        elif not mine and name in self._held:
            self._dialled.drop(self._held.pop(name))

    async def _lease(self, name: str) -> bool:
        key = self._keys.dialler(name)
        took = await self._client.call("SET", key, self._inc, "NX", "PX", LEASE_MS)
        if not took and await self._client.call("GET", key) != self._inc.encode():
            return False
        await self._client.call("PEXPIRE", key, LEASE_MS)
        return True
