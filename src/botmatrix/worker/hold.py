"""A lane in this worker's hands: how much of it is in memory, and whether it still belongs to us."""

from __future__ import annotations

import asyncio

from botmatrix.bus.lanes import Lane


class Hold:
    """The entries of one lane that were read and are not settled yet.

    `held` counts all of them, `startable` those that run or could run at once. Every entry that is in memory is blamed
    when this worker dies, so few are read ahead: at most `2 * concurrency` startable ones, and `8 * concurrency` in all
    (the rest waits behind somebody's slow handler, or for Redis).
    """

    __slots__ = ("_room", "_step", "_total", "_waiter", "deaths", "held", "lane", "lost", "startable")

    def __init__(self, lane: Lane, deaths: dict[bytes, int], concurrency: int) -> None:
        self.lane, self.deaths = lane, deaths
        self.held = 0
        self.startable = 0
        self.lost = False
        self._room, self._total = 2 * concurrency, 8 * concurrency
        self._step = max(1, concurrency // 2)
        self._waiter: asyncio.Future[None] | None = None

    def room(self) -> int:
        """How many entries may be read now."""
        return min(self._room - self.startable, self._total - self.held)

    async def wait_for_room(self) -> None:
        """Until reading is worth a round trip again, or the lane is lost."""
        while not self.lost and self.room() < self._step:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def started(self, count: int) -> None:
        """Entries became startable."""
        self.startable += count

    def ended(self) -> None:
        """A startable entry no longer is: it ended, sleeps, or was dropped."""
        self.startable -= 1
        self._notify()

    def left(self, count: int) -> None:
        """Entries left memory: settled, or dropped."""
        self.held -= count
        self._notify()

    def lose(self) -> None:
        """Somebody else owns the lane now."""
        self.lost = True
        self._notify()

    def _notify(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and (self.lost or self.room() >= self._step):
            waiter.set_result(None)
