"""Which workers reported which skills, as far as they are alive."""

from __future__ import annotations

import asyncio
import time

import msgspec
import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.presence import Presence
from botmatrix.bus.skills import skilled
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

    async def look(self) -> None:
        """Read what is there. Raises `EngineUnavailable`."""
        since = time.monotonic() - HEARD_SECONDS
        self._heard = {worker: heard for worker, heard in self._heard.items() if heard[0] > since}
        found = await skilled(self._presence)
        if missing := self._heard.keys() - found.keys():
            alive = {one["id"] for one in await self._presence.workers() if one.get("draining") != "1"}
            found |= {worker: self._heard[worker][1] for worker in missing & alive}
        self.workers = found

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
