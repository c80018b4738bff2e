"""The worker's presence: what it says of itself, every ten seconds and whenever it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.presence import Presence
from botmatrix.errors import EngineUnavailable
from botmatrix.worker.drain import Drain

log = structlog.get_logger("worker.heartbeat")

ANNOUNCE, LOOK = 10.0, 2.0


class Heartbeat:
    """Announces `fields()` and `plugins()` (JSON) and looks for a request to drain.

    Presence is no guarantee: a beat that fails is left out.
    """

    def __init__(
        self,
        worker_id: str,
        presence: Presence,
        drain: Drain,
        fields: Callable[[], Mapping[str, str]],
        plugins: Callable[[], bytes],
        *,
        every: float = ANNOUNCE,
    ) -> None:
        self._id, self._presence, self._drain, self._fields = worker_id, presence, drain, fields
        self._plugins = plugins
        self._every = every
        self._due = 0.0
        self._again: asyncio.Event | None = None

    def hurry(self) -> None:
        """What it says has changed: say it now, if it has said anything yet."""
        if self._again is not None:
            self._again.set()

    async def run(self, joined: asyncio.Event) -> None:
        """Until cancelled. Announces at once whenever `joined` is set: the worker has (again) a lane of its own.

        Before that the presence is left to its predecessor.
        """
        await joined.wait()
        self._again = joined
        while True:
            if joined.is_set():
                joined.clear()
                self._due = 0.0
            try:
                await self._beat()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("presence is not written", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK, self._every)):
                    await joined.wait()

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        changed = self._drain.set(await self._presence.draining(self._id))
        if changed:
            log.warning("draining" if self._drain.asked() else "takes events again")
        if changed or now >= self._due:
            await self._presence.announce(self._id, dict(self._fields()))
            await self._presence.list_plugins(self._id, self._plugins())
            self._due = now + self._every
