"""Keeping the worker's own lane: joined at the start, taken back from adopters, given up to a newer namesake."""

from __future__ import annotations

import asyncio

import structlog

from botmatrix.bus.lanes import Lane, Lanes
from botmatrix.bus.presence import Presence
from botmatrix.worker.consumer import Consumer, End
from botmatrix.worker.drain import Drain
from botmatrix.worker.incarnation import process_gone, worker_of
from botmatrix.worker.patience import patiently

log = structlog.get_logger("worker.ownership")

PROBE = 3.0
"""For how long (s) an earlier start of this worker may go on before its lane is taken: time for an orderly stop."""
GLANCE = 0.1


class OwnLane:
    """The lane named after this worker. The newest start of an id wins it; an adopter only minds it meanwhile."""

    def __init__(self, worker_id: str, lanes: Lanes, presence: Presence, drain: Drain, *, probe: float = PROBE) -> None:
        self._id, self._lanes, self._presence, self._drain = worker_id, lanes, presence, drain
        self._probe = probe
        self.joined = asyncio.Event()
        """Set at each join; whoever waits for it clears it."""

    async def run(self, consumer: Consumer) -> None:
        """Own and read the lane until a newer incarnation of this worker has taken it: then it returns.

        While the worker is drained and the lane is empty, there is no lane: the router picks other workers.
        """
        lane = await self._first()
        while True:
            log.info("reading its lane", lane=lane.name)
            self.joined.set()
            end = await consumer.consume(lane, leave=self._drain.asked)
            if end is End.EMPTY and await self._retire(lane):
                await self._drain.ended()
            if await self._superseded():
                return
            lane = await self._take()

    async def _first(self) -> Lane:
        lane = await patiently(lambda: self._lanes.join(self._id), "join")
        if lane is not None:
            return lane
        await self._outwait()
        return await self._take()

    async def _take(self) -> Lane:
        while True:
            lane = await patiently(lambda: self._lanes.join(self._id, force=True), "join")
            if lane is not None:
                return lane
            await asyncio.sleep(GLANCE)

    async def _retire(self, lane: Lane) -> bool:
        return await patiently(lambda: self._lanes.retire(lane), "retire")

    async def _superseded(self) -> bool:
        owner = await self._owner()
        if owner == self._lanes.inc or worker_of(owner) != self._id:
            return False
        log.error("a newer start of this worker has taken its lane", by=owner)
        return True

    async def _outwait(self) -> None:
        """Give an earlier incarnation that still holds its lease time to end, unless its process is gone."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._probe
        while loop.time() < deadline:
            owner = await self._owner()
            if worker_of(owner) != self._id or not await self._alive(owner):
                return
            await asyncio.sleep(GLANCE)
        log.warning("taking the lane from an earlier start of this worker", lane=self._id)

    async def _alive(self, inc: str) -> bool:
        if not await patiently(lambda: self._lanes.alive(inc), "lease"):
            return False
        workers = await patiently(self._presence.workers, "presence")
        return not any(process_gone(fields, inc) for fields in workers)

    async def _owner(self) -> str:
        return await patiently(lambda: self._lanes.owner(self._id), "owner")
