"""Minding the lanes of workers that are gone: read to their end by whoever joins them first."""

from __future__ import annotations

import asyncio
import random

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.lanes import Lane, Lanes
from botmatrix.worker.consumer import Consumer, End
from botmatrix.worker.drain import Drain
from botmatrix.worker.patience import patiently

log = structlog.get_logger("worker.adoption")

EVERY = 2.0
"""Seconds between two looks for orphans; with a lease of 10 s a lane is adopted within 15 s of its owner's death."""


class Adopter:
    """Looks for orphans, joins them, reads each until it is empty, then deletes it. A drained worker adopts nothing."""

    def __init__(self, worker_id: str, lanes: Lanes, drain: Drain, *, every: float = EVERY) -> None:
        self._id, self._lanes, self._drain, self._every = worker_id, lanes, drain, every

    async def run(self, consumer: Consumer) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._every * random.uniform(0.5, 1.0))  # noqa: S311  spreads workers, no secret
                if self._drain.asked():
                    continue
                for lane in await self._adopt(besides={self._id, *consumer.names()}):
                    group.create_task(self._mind(lane, consumer), name=f"adopted-{lane.name}")

    async def _adopt(self, besides: set[str]) -> list[Lane]:
        names = [name for name in await patiently(self._lanes.orphans, "orphans") if name not in besides]
        random.shuffle(names)
        joined = [await self._join(name) for name in names]
        return [lane for lane in joined if lane is not None]

    async def _join(self, name: str) -> Lane | None:
        """A lane that Redis refuses is in nobody's way: it is tried again at the next look."""

        async def join() -> Lane | None:
            try:
                return await self._lanes.join(name)
            except ReplyError as error:
                log.error("a lane can't be adopted", lane=name, error=str(error))
                return None

        return await patiently(join, "join")

    async def _mind(self, lane: Lane, consumer: Consumer) -> None:
        log.warning("adopted the lane of a worker that is gone", lane=lane.name)
        while await consumer.consume(lane, leave=lambda: True) is End.EMPTY:
            if await patiently(lambda: self._lanes.retire(lane), "retire"):
                log.info("an adopted lane is empty and deleted", lane=lane.name)
                return
