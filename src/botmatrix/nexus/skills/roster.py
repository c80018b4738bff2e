"""Which workers reported which skills, as far as they are alive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.presence import Presence
from botmatrix.bus.skills import skills_of
from botmatrix.errors import EngineUnavailable
from botmatrix.skills.model import Capability

log = structlog.get_logger("nexus.skills")
LOOK_SECONDS = 1.0
HEARD_SECONDS = 60.0


class _Registration(msgspec.Struct):
    worker_id: str
    capabilities: list[Capability]
    type: str


class Roster:
    """Workers and their skills: from their presence, and from reports on the channel of workers that have one.

    A worker that never reported a skill is not in it.
    """

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._heard: dict[str, tuple[float, list[Capability]]] = {}
        self._soon = asyncio.Event()
        self.workers: dict[str, list[Capability]] = {}
        self.pools: dict[str, str] = {}
        self.on_change: Callable[[], None] = lambda: None

    def on_register(self, body: bytes) -> None:
        """A report on the channel."""
        try:
            said = msgspec.json.decode(body, type=_Registration)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            log.warning("a report of capabilities can't be read", bytes=len(body))
            return
        self._heard[said.worker_id] = time.monotonic(), said.capabilities
        self._soon.set()

    def on_presence(self, _worker: bytes) -> None:
        """A worker renewed its presence."""
        self._soon.set()

    def find(self, skill: str) -> Capability | None:
        """A skill as the first worker describes it that has it; None when nobody does."""
        for worker in sorted(self.workers):
            for one in self.workers[worker]:
                if one.name == skill:
                    return one
        return None

    async def look(self) -> None:
        """Read what is there. Raises `EngineUnavailable`."""
        since = time.monotonic() - HEARD_SECONDS
        self._heard = {worker: heard for worker, heard in self._heard.items() if heard[0] > since}
        there = [one for one in await self._presence.workers() if one.get("draining") != "1"]
        found = skills_of(there)
        self.pools = {one["id"]: one.get("pool", "") for one in there}
        for worker in (self._heard.keys() & self.pools.keys()) - found.keys():
            found[worker] = self._heard[worker][1]
        if found != self.workers:
            self.workers = found
            self.on_change()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("skills are not looked up", error=str(error))
            self._soon.clear()
            await asyncio.sleep(0.05)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._soon.wait()
            except TimeoutError:
                pass
