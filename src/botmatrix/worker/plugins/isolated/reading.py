"""Reading what a plugin's process writes, line by line, without leaving the worker's other work behind."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.isolated.lines import Splitter

MOST_JUNK, FORGIVEN = 8 << 20, 256 << 10
"""Bytes of no use after which it is enough, and how many of them are forgotten a second."""
LINE = 512
"""Bytes that a line counts as at least: many short ones cost more than their bytes."""
CHUNK = 65_536
"""Bytes that are read at once."""
TURN = 0.0002
"""Seconds for which lines are taken before everything else has its turn."""
REST = 4
"""Times as long nothing is read after what was of no use: it may take a fifth of the worker's time at the most."""
SHORTEST = 0.001
"""Seconds that a rest lasts at least: what is shorter is put off."""


class Reading:
    """One pipe. `take` gets each line and says whether it was of use; `enough` is called when too much was not, and
    nothing more is read then (None: it never is).

    `rate`: bytes a second that are read, `burst`: how many at once.
    """

    def __init__(
        self,
        stream: asyncio.StreamReader,
        take: Callable[[bytes], bool],
        enough: Callable[[], None] | None,
        figures: Figures,
        *,
        rate: int,
        burst: int,
    ) -> None:
        self._stream, self._take, self._enough, self._figures = stream, take, enough or _never, figures
        self._most = MOST_JUNK if enough else math.inf
        self._rate, self._burst = rate, burst
        self._splitter = Splitter()
        self._junk = self._rest = 0.0

    async def run(self) -> None:
        """Until the pipe is closed, or it was enough."""
        loop = asyncio.get_running_loop()
        left, filled = float(self._burst), loop.time()
        while chunk := await self._stream.read(CHUNK):
            before = self._junk
            await self._lines(chunk)
            if self._junk == before and self._splitter.skipping:
                self._junk += len(chunk)
            if self._junk > self._most:
                self._enough()
                return
            now, cost = loop.time(), max(len(chunk), LINE * chunk.count(b"\n"))
            left = min(self._burst, left + (now - filled) * self._rate) - cost
            self._junk = max(0.0, self._junk - (now - filled) * FORGIVEN)
            filled = now
            await self._pause(-left / self._rate)

    async def _lines(self, chunk: bytes) -> None:
        turn, began = 0.0, time.perf_counter()
        for line in self._splitter.feed(chunk):
            is_of_use = bool(line) and self._take(line)
            took = time.perf_counter() - began
            if not is_of_use:
                self._junk += max(len(line), LINE)
                self._rest += took * REST
            turn += took
            if turn > TURN:
                if self._junk > self._most:
                    return
                await self._pause()
                turn = 0.0
            began = time.perf_counter()
        if self._splitter.too_long:
            self._figures.lines["too_long"] += self._splitter.too_long
            self._splitter.too_long = 0

    async def _pause(self, debt: float = 0.0) -> None:
        """Let everything else have its turn, for so many seconds at least: reading what is there already does not."""
        pause = max(self._rest, debt)
        if pause < SHORTEST:
            pause = 0.0
        else:
            self._rest = 0.0
        await asyncio.sleep(pause)


def _never() -> None:
    """It is never enough."""
