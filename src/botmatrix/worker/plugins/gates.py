"""How handlers that say so run beside one another: dropped, debounced, or one for a whole group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from botmatrix.bus.envelope import Envelope
from botmatrix.sdk.services import Services
from botmatrix.worker.plugins.table import Bound
from botmatrix.worker.plugins.turns import Turns


class Gates:
    """What is at work or waits, by handler and person, and by plugin and conversation. Empty when nothing runs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._busy: set[tuple[str, str]] = set()
        self._newest: dict[tuple[str, str], str] = {}
        self._turns = Turns()

    @asynccontextmanager
    async def passed(self, bound: Bound, envelope: Envelope, user: str) -> AsyncIterator[bool]:
        """For the length of a block the handler may run; False: it shall not."""
        mode, key = bound.handler.concurrency, (bound.name, f"{envelope.conversation}|{user}")
        if mode.kind == "debounce":
            yield await self._last(key, envelope.id, mode.seconds)
        elif mode.kind == "drop":
            if key in self._busy:
                yield False
                return
            self._busy.add(key)
            try:
                yield True
            finally:
                self._busy.discard(key)
        elif bound.handler.serial == "group":
            async with self._alone((bound.app.id, envelope.conversation), envelope.id):
                yield True
        else:
            yield True

    async def _last(self, key: tuple[str, str], event_id: str, seconds: float) -> bool:
        """Whether nothing newer came in so many seconds."""
        self._newest[key] = event_id
        with self._services.resting(event_id):
            await asyncio.sleep(seconds)
        if self._newest.get(key) != event_id:
            return False
        del self._newest[key]
        return True

    @asynccontextmanager
    async def _alone(self, key: tuple[str, str], event_id: str) -> AsyncIterator[None]:
        """In the order of arrival."""
        lock = self._turns.of(key)
        if lock.locked():
            with self._services.resting(event_id):
                await lock.acquire()
        else:
            await lock.acquire()
        try:
            yield
        finally:
            lock.release()
