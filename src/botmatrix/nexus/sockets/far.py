"""Socket workers of other nexuses, as those tell of them; implements `choice.Far`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.sockets import Told, read_told
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.sockets.request import Kind
from botmatrix.routing.rule import POOL
from botmatrix.routing.table import Route

log = structlog.get_logger("sockets")
EVERY = 1.0


class FarWorkers:
    """Looks once a second at what the other nexuses tell. While Redis is away nobody is far."""

    def __init__(self, client: Client, keys: Keys, inc: str) -> None:
        self._client, self._keys, self._inc = client, keys, inc
        self._by_bot: dict[str, list[tuple[Told, str]]] = {}
        self._old: list[tuple[Told, str]] = []
        self._bodies: list[bytes | ReplyError | None] = []
        self.version = 0

    def lane(self, bot: str, route: Route | None, kind: Kind | None = None) -> str:
        """The relay lane of a nexus whose socket worker (of this kind, or any) takes this; `""`: none does."""
        applications = self._by_bot.get(bot, []) if kind is not Kind.OLD else []
        old = self._old if kind is not Kind.APPLICATION else []
        for told, lane in (*applications, *old):
            if route is None or told.id in route.targets or POOL + told.pool in route.targets:
                return lane
        return ""

    def serves(self, targets: Iterable[str]) -> bool:
        """Whether somebody over there is one of these targets, for whichever bot."""
        every = [*self._old, *(one for some in self._by_bot.values() for one in some)]
        return any(told.id in targets or POOL + told.pool in targets for told, _ in every)

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                self._by_bot, self._old, self._bodies = {}, [], []
                log.debug("socket workers of other nexuses are not known", error=str(error))
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Read what is told now."""
        members = await self._client.call("SMEMBERS", self._keys.nexuses)
        others = [inc for member in members if (inc := member.decode(errors="replace")) != self._inc]
        told = await self._client.pipeline(*(("GET", self._keys.sockets(inc)) for inc in others)) if others else []
        if told == self._bodies:
            return
        self._bodies, self.version = told, self.version + 1
        by_bot: dict[str, list[tuple[Told, str]]] = {}
        old = []
        for inc, body in zip(others, told, strict=True):
            for one in read_told(body):
                if one.draining:
                    continue
                if one.kind == Kind.OLD:
                    old.append((one, relay_lane(inc)))
                for bot in one.bots:
                    by_bot.setdefault(bot, []).append((one, relay_lane(inc)))
        self._by_bot, self._old = by_bot, old

    @property
    def is_empty(self) -> bool:
        """Whether nobody is far."""
        return not self._by_bot and not self._old


def relay_lane(inc: str) -> str:
    """The lane by which events travel to the socket workers of a nexus."""
    return f"relay-{inc[-58:]}"
