"""A lane in this worker's hands: what of it is in memory, and whether it still belongs to us."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from botmatrix.bus.lanes import Lane, Settlement


class Hold:
    """The entries of one lane that were read and are not settled yet.

    `entries` are the ids of all of them, `startable` counts those that run or could run at once. Every entry in
    memory is blamed when this worker dies, so few are read ahead: at most `2 * concurrency` startable ones, and
    `8 * concurrency` in all (the rest waits behind somebody's slow handler, or for Redis). `parked` of them don't
    count: handlers that wait for an answer or for a plugin's own process, and the answers they have. `unanswered`: the
    answer to a read got lost, so entries may be delivered to us that we don't know of.
    """

    def __init__(self, lane: Lane, deaths: dict[bytes, int], concurrency: int) -> None:
        self.lane, self.deaths = lane, deaths
        self.entries: set[bytes] = set()
        self.startable = self.parked = 0
        self.lost = False
        self.closing = False
        self.unanswered = False
        self.ended: deque[Settlement] = deque()
        self.wake = asyncio.Event()
        self._clean = asyncio.Event()
        self._count_ended = self._count_settled = 0
        self._barriers: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._limit, self._most = 2 * concurrency, 8 * concurrency
        self._step = max(1, concurrency // 2)
        self._waiter: asyncio.Future[None] | None = None

    def room(self) -> int:
        """How many entries may be read now."""
        return min(self._limit - self.startable, self._most - len(self.entries) + self.parked)

    async def wait_for_room(self) -> None:
        """Until reading is worth a round trip, or the lane is lost."""
        while not self.lost and self.room() < self._step:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def started(self) -> None:
        """An entry became startable."""
        self.startable += 1

    def stopped(self) -> None:
        """A startable entry no longer is: it ended, sleeps, or was dropped."""
        self.startable -= 1
        self._notify()

    def park(self) -> None:
        """A startable entry waits for something outside."""
        self.parked += 1
        self.stopped()

    def unpark(self) -> None:
        """What it waited for is there, or not to come."""
        self.parked -= 1
        self.started()

    def settle(self, item: Settlement) -> None:
        """Hand an ended entry to the lane's settler."""
        self.ended.append(item)
        self._count_ended += 1
        self.wake.set()

    @property
    def is_caught_up(self) -> bool:
        """Whether all that has ended is settled, or the lane is lost."""
        return self.lost or self._count_settled >= self._count_ended

    async def catch_up(self) -> None:
        """Until all that has ended by now is settled, or the lane is lost."""
        if self.is_caught_up:
            return
        barrier = asyncio.get_running_loop().create_future()
        self._barriers.append((self._count_ended, barrier))
        await barrier

    def settled(self, count: int) -> None:
        """So many more were settled, in the order in which they ended."""
        self._count_settled += count
        self._open_barriers()

    def _open_barriers(self) -> None:
        while self._barriers and (self.lost or self._barriers[0][0] <= self._count_settled):
            _, barrier = self._barriers.popleft()
            if not barrier.done():
                barrier.set_result(None)

    def forget(self, entries: Iterable[bytes]) -> None:
        """Entries left memory: settled, or dropped."""
        self.entries.difference_update(entries)
        if not self.ended:
            self._clean.set()
        if self.closing:
            self.wake.set()
        self._notify()

    async def clean(self) -> None:
        """Until everything that has ended is settled."""
        self._clean.clear()
        if self.ended:
            await self._clean.wait()

    def close(self) -> None:
        """Nothing more will be read: the settler ends when everything in memory has been settled."""
        self.closing = True
        self.wake.set()

    def lose(self) -> None:
        """Somebody else owns the lane now."""
        self.lost = True
        self._notify()
        self._open_barriers()

    def _notify(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and (self.lost or self.room() >= self._step):
            waiter.set_result(None)
