"""What the console, REST and other nexuses see of the socket workers here: their presence, and who is dialled."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Sequence

import msgspec
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.presence import PRESENCE_SECONDS, Presence
from botmatrix.bus.sockets import Figures, Told, all_told
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.sockets.dial import Dialer
from botmatrix.nexus.sockets.request import Kind
from botmatrix.nexus.sockets.worker import SocketWorker
from botmatrix.nexus.sockets.workers import SocketWorkers

log = structlog.get_logger("sockets")
EVERY = 10.0
SHOWN_BOTS = 20
COUNTED = ("links", "waiting", "in_flight", "handled", "lost")
"""Figures that are added up over all nexuses to which a worker has links."""


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
        await self._client.call("DEL", self._keys.lines(self._inc), self._keys.sockets(self._inc))
        await self._leave(self._announced, await self._elsewhere())

    async def _announce(self) -> None:
        here = dict(self._sockets.workers)
        told = {one.id: self._told(one) for one in here.values()}
        key = self._keys.sockets(self._inc)
        if heard := [one for one in told.values() if one.bots or one.kind == Kind.OLD]:
            await self._client.call("SET", key, msgspec.json.encode(heard), "EX", PRESENCE_SECONDS)
        else:
            await self._client.call("DEL", key)
        elsewhere = await self._elsewhere()
        await self._leave(self._announced - set(here), elsewhere)
        for worker in here.values():
            every = [told[worker.id], *elsewhere.get(worker.id, ())]
            await self._presence.announce(worker.id, self._fields(worker, every))
        self._announced = set(here)

    async def _elsewhere(self) -> dict[str, list[Told]]:
        """What other nexuses tell of their socket workers, by id: an application may have links to several nexuses."""
        found: dict[str, list[Told]] = {}
        for one in await all_told(self._client, self._keys, but=self._inc):
            found.setdefault(one.id, []).append(one)
        return found

    async def _leave(self, gone: Iterable[str], elsewhere: Container[str]) -> None:
        for worker_id in gone:
            if worker_id not in elsewhere:
                await self._presence.leave(worker_id)

    def _told(self, worker: SocketWorker) -> Told:
        return Told(
            worker.id,
            worker.pool,
            worker.kind.value,
            [bot for bot in worker.links if bot],
            worker.id in self._sockets.copying,
            worker.id in self._sockets.draining,
            Figures(
                links=len(worker.links),
                waiting=worker.waiting,
                in_flight=worker.load.in_flight,
                handled=worker.counters["answered"] + worker.counters["silent"],
                lost=worker.counters["lost_on_close"],
                response_ms=worker.load.ewma * 1000,
            ),
        )

    def _fields(self, worker: SocketWorker, every: Sequence[Told]) -> dict[str, str]:
        """Its presence; `every`: what each nexus tells of it."""
        bots = sorted({bot for one in every for bot in one.bots})
        sums = {name: sum(getattr(one.figures, name) for one in every) for name in COUNTED}
        times = [one.figures.response_ms for one in every if one.figures.response_ms]
        skills = [str(one["name"]) for one in worker.capabilities]
        return {
            "transport": worker.kind.value,
            "pool": worker.pool,
            "nexus": self._inc,
            "incarnation": self._inc,
            "started": f"{worker.since:.3f}",
            "bots": ",".join(bots[:SHOWN_BOTS]),
            **{name: str(count) for name, count in sums.items()},
            "draining": "1" if worker.id in self._sockets.draining else "0",
            "response_ms": f"{sum(times) / len(times) if times else 0.0:.1f}",
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
