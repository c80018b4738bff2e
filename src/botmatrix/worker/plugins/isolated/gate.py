"""How many events a plugin may work on at once, so that one that hangs can't take every place of its worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botmatrix.worker.plugins.isolated.exchange import Exchange, PluginDown

SILENCE = 3.0
"""Seconds without an answer after which a full plugin takes nothing more."""

SHORTEST = 0.05
"""Seconds that are waited in any case: perhaps it was this worker that stood still."""
APART = 0.0005
"""Seconds between those whose patience ends: a thousand at one moment would hold everything else up for a tenth."""


class Gate:
    """`size` places. Who comes when all are taken waits, as long as the plugin answers anything at all."""

    def __init__(self, size: int, exchange: Exchange) -> None:
        self._places = asyncio.Semaphore(size)
        self._exchange = exchange
        self._full_since = 0.0
        self._waiting = 0

    async def enter(self) -> None:
        """Take a place. Raises `PluginDown`: at once when there is no process, soon when it answers nothing."""
        self._exchange.check()
        loop = asyncio.get_running_loop()
        while self._places.locked():
            heard = self._exchange.heard
            left = max(self._exchange.heard_at, self._full_since) + SILENCE - loop.time()
            patience = left + self._waiting * APART if left > SHORTEST else SHORTEST
            self._waiting += 1
            try:
                async with asyncio.timeout(patience):
                    await self._places.acquire()
                return await self._cleared()
            except TimeoutError:
                if self._exchange.heard == heard:
                    raise PluginDown("is busy and answers nothing") from None
            finally:
                self._waiting -= 1
        await self._places.acquire()
        if self._places.locked():
            self._full_since = loop.time()

    async def _cleared(self) -> None:
        try:
            await self._exchange.clear()
        except asyncio.CancelledError:
            self._places.release()
            raise

    @contextmanager
    def place(self) -> Iterator[Callable[[], None]]:
        """For the block that has entered. What it gives frees the place early; once only, whoever calls it."""
        taken = True

        def leave() -> None:
            nonlocal taken
            if taken:
                taken = False
                self._places.release()

        try:
            yield leave
        finally:
            leave()
