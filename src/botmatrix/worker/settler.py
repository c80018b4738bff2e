"""Settling in groups: one call under way per lane; what ends meanwhile goes in the next."""

from __future__ import annotations

import time

import structlog

from botmatrix.bus.lanes import FENCED, KEPT, Lanes, Settlement
from botmatrix.worker.hold import Hold
from botmatrix.worker.patience import patiently
from botmatrix.worker.tally import Tally

log = structlog.get_logger("worker.settler")

GROUP = 128
"""Settlements in one call: the cost per event hardly falls beyond 64."""


class Settler:
    """Settles what was handled of one lane, in the order in which it ended.

    While Redis is away everything is kept and offered again: the acknowledgement is the fence, so what was settled by
    a call whose answer got lost is not settled twice.
    """

    def __init__(self, lanes: Lanes, hold: Hold, tally: Tally) -> None:
        self._lanes, self._hold, self._tally = lanes, hold, tally

    async def run(self) -> None:
        """Settle until the hold is closed and nothing of it is in memory."""
        hold = self._hold
        while not hold.closing or hold.entries:
            await hold.wake.wait()
            hold.wake.clear()
            while hold.ended:
                await self._settle_group()

    async def _settle_group(self) -> None:
        ended = self._hold.ended
        group = [ended[index] for index in range(min(GROUP, len(ended)))]
        letters, calls = await self._offer(group)
        for _ in group:
            ended.popleft()
        if calls == 1:
            # After a lost answer an `x` may be our own earlier success.
            self._tally.fenced += letters.count(FENCED)
        if refused := letters.count(KEPT):
            log.error("Redis refused part of a settlement", lane=self._hold.lane.name, settled_without_actions=refused)
        self._time(group, letters)
        self._hold.settled(len(group))
        self._hold.forget(item.entry_id for item in group)

    def _time(self, group: list[Settlement], letters: bytes) -> None:
        now, response = time.time(), self._tally.response
        for item, letter in zip(group, letters, strict=True):
            if item.nexus and letter != FENCED:
                response.observe(max(0.0, now - item.t / 1000), now)

    async def _offer(self, group: list[Settlement]) -> tuple[bytes, int]:
        calls = 0

        async def settle() -> bytes:
            nonlocal calls
            calls += 1
            return await self._lanes.settle(self._hold.lane, group)

        return await patiently(settle, "settle"), calls
