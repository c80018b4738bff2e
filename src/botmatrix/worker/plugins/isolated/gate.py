"""How many events a plugin may work on at once, so that one that hangs can't take every place of its worker."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botmatrix.worker.plugins.isolated.exchange import Exchange, PluginDown

SILENCE = 3.0
"""Seconds without an answer after which a full plugin takes nothing more."""

SHORTEST = 0.05
"""Seconds that are waited in any case: perhaps it was this worker that stood still."""
APART, MANY = 0.002, 1000
"""Seconds between those whose patience ends, and how many of those who wait make one more go each time: a thousand at
one moment would hold everything else up for a tenth. uvloop counts whole milliseconds.
"""


class Gate:
    """`size` places. Who comes when all are taken waits, as long as the plugin answers anything at all.

    Thousands may wait: each costs the same, however many they are, and all share one timer.
    """

    def __init__(self, size: int, exchange: Exchange) -> None:
        self._free = size
        self._exchange = exchange
        self._waiting: OrderedDict[asyncio.Future[bool], None] = OrderedDict()
        self._full_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._suspected = -1
        """What had been heard when the plugin was silent for too long."""

    async def enter(self) -> None:
        """Take a place. Raises `PluginDown`: at once when there is no process, soon when it answers nothing."""
        self._exchange.check()
        loop = asyncio.get_running_loop()
        if self._free:
            self._free -= 1
            if not self._free:
                self._full_since = loop.time()
            return
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiting[waiter] = None
        if self._timer is None:
            self._look_in(max(self._patience(), SHORTEST))
        try:
            has_place = await waiter
        except asyncio.CancelledError:
            self._waiting.pop(waiter, None)
            if not waiter.cancelled() and waiter.result():
                self._leave()
            raise
        if not has_place:
            raise PluginDown("is busy and answers nothing")
        await self._cleared()

    async def _cleared(self) -> None:
        try:
            await self._exchange.clear()
        except asyncio.CancelledError:
            self._leave()
            raise

    def _leave(self) -> None:
        """A place is free: it is the next one's."""
        while self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            if not waiter.done():
                waiter.set_result(True)
                return
        self._free += 1

    def _patience(self) -> float:
        """Seconds that are left to the plugin to say anything."""
        now = asyncio.get_running_loop().time()
        return max(self._exchange.heard_at, self._full_since) + SILENCE - now

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Send the next ones away if the plugin answers nothing."""
        self._timer = None
        if not self._waiting:
            return
        left = self._patience()
        if left > 0:
            self._look_in(left)
        elif self._suspected != self._exchange.heard:
            self._suspected = self._exchange.heard
            self._look_in(SHORTEST)
        else:
            for _ in range(1 + (len(self._waiting) - 1) // MANY):
                waiter, _ = self._waiting.popitem(last=False)
                if not waiter.done():
                    waiter.set_result(False)
            self._look_in(APART)

    @contextmanager
    def place(self) -> Iterator[Callable[[], None]]:
        """For the block that has entered. What it gives frees the place early; once only, whoever calls it."""
        taken = True

        def leave() -> None:
            nonlocal taken
            if taken:
                taken = False
                self._leave()

        try:
            yield leave
        finally:
            leave()
