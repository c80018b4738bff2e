"""What the console, REST and other nexuses see of the socket workers here: their presence, and who is dialled."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.presence import PRESENCE_SECONDS, Presence
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.sockets.dial import Dialer
from botmatrix.nexus.sockets.far import tell
from botmatrix.nexus.sockets.worker import SocketWorker
from botmatrix.nexus.sockets.workers import SocketWorkers

log = structlog.get_logger("sockets")
EVERY = 10.0
SHOWN_BOTS = 20


class Announcer:
    """Announces at once who comes and goes, and everybody every ten seconds. Nothing waits for it."""

    def __init__(self, client: Client, presence: Presence, keys: Keys, inc: str, sockets: SocketWorkers) -> None:
        self._client, self._presence, self._keys, self._inc = client, presence, keys, inc
        self._sockets = sockets
        self._announced: set[str] = set()
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """A worker came or went."""
        self._changed.set()

    async def run(self, dialer: Dialer) -> None:
        """Until cancelled; what Redis does not take is said again."""
        while True:
            self._changed.clear()
            try:
                await self._announce()
                await self._tell_lines(dialer)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("socket workers can't be announced", error=str(error))
            try:
                await asyncio.wait_for(self._changed.wait(), EVERY)
                await asyncio.sleep(0.05)  # many links often come together
            except TimeoutError:
                continue

    async def farewell(self) -> None:
        """At an orderly stop: they are not here any more."""
        for worker_id in self._announced:
            await self._presence.leave(worker_id)
        await self._client.call("DEL", self._keys.lines(self._inc), self._keys.sockets(self._inc))

    async def _announce(self) -> None:
        here = dict(self._sockets.workers)
        for worker_id in self._announced - set(here):
            await self._presence.leave(worker_id)
        for worker in here.values():
            await self._presence.announce(worker.id, self._fields(worker))
        self._announced = set(here)
        key = self._keys.sockets(self._inc)
        if here:
            await self._client.call("SET", key, tell(here.values(), self._sockets.copying), "EX", PRESENCE_SECONDS)
        else:
            await self._client.call("DEL", key)

    def _fields(self, worker: SocketWorker) -> dict[str, str]:
        bots = sorted(bot for bot in worker.links if bot)
        skills = [str(one["name"]) for one in worker.capabilities]
        return {
            "transport": worker.kind.value,
            "pool": worker.pool,
            "nexus": self._inc,
            "incarnation": self._inc,
            "started": f"{worker.since:.3f}",
            "bots": ",".join(bots[:SHOWN_BOTS]),
            "links": str(len(worker.links)),
            "waiting": str(worker.waiting),
            "in_flight": str(worker.load.in_flight),
            "handled": str(worker.counters["answered"] + worker.counters["silent"]),
            "lost": str(worker.counters["lost_on_close"]),
            "response_ms": f"{worker.load.ewma * 1000:.1f}",
            "skills": ",".join(skills),
        }

    async def _tell_lines(self, dialer: Dialer) -> None:
        key = self._keys.lines(self._inc)
        told = {
            name: msgspec.json.encode(
                {"state": line.state, "since": line.since, "error": line.error, "attempts": line.attempts}
            )
            for name, line in dialer.lines.items()
        }
        flat = [part for pair in told.items() for part in pair]
        commands: list[tuple[str | bytes | int, ...]] = [("DEL", key)]
        if flat:
            commands += [("HSET", key, *flat), ("EXPIRE", key, PRESENCE_SECONDS)]
        await self._client.pipeline(*commands)
