"""The gateway's one timer: visits every link about once a second, a tenth of them at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from botmatrix.clock import Clock

log = logging.getLogger(__name__)

SLICES = 10


class Visited(Protocol):
    """Whatever wants to be visited."""

    def visit(self, now: float, elapsed: float) -> None:
        """Do what is due at `now` (monotonic); `elapsed` seconds after the last round began."""
        ...


class Sweeper:
    """Visits what was added, until it is removed; calls `on_tick` ten times a round, for what is due at a
    rate.
    """

    def __init__(self, clock: Clock, every: float, on_tick: Callable[[float], None]) -> None:
        self._clock = clock
        self._every = every
        self._on_tick = on_tick
        self._slices: tuple[dict[Visited, None], ...] = tuple({} for _ in range(SLICES))
        self._visited_at = [clock.monotonic()] * SLICES
        self._turn = self._added = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, item: Visited) -> int:
        """Visit this from now on; returns what `remove` wants."""
        self._added += 1
        place = self._added % SLICES
        self._slices[place][item] = None
        return place

    def remove(self, item: Visited, place: int) -> None:
        """Visit this no more."""
        self._slices[place].pop(item, None)

    def start(self) -> None:
        """Begin on the running loop."""
        self._visited_at = [self._clock.monotonic()] * SLICES
        self._timer = asyncio.get_running_loop().call_later(self._every / SLICES, self._tick)

    def stop(self) -> None:
        """No visit after this."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every / SLICES, self._tick)
        now = self._clock.monotonic()
        self._turn = turn = (self._turn + 1) % SLICES
        elapsed, self._visited_at[turn] = now - self._visited_at[turn], now
        for item in list(self._slices[turn]):
            try:
                item.visit(now, elapsed)
            except Exception:
                log.exception("a link could not be looked after")
        self._on_tick(now)
