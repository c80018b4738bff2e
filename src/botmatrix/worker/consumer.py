"""Reading lanes: entries become jobs in the serial queues, one reader per lane."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any

import msgspec
import structlog

from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.lanes import Delivery, Lane, Lanes, Settlement
from botmatrix.errors import BadEnvelope, Fenced
from botmatrix.worker.handler import Handler
from botmatrix.worker.hold import Hold
from botmatrix.worker.job import Job
from botmatrix.worker.patience import patiently
from botmatrix.worker.queues import SerialQueues
from botmatrix.worker.settler import Settler
from botmatrix.worker.slots import Slots
from botmatrix.worker.tally import Tally

log = structlog.get_logger()

COUNT = 64
BLOCK_MS = 1000
SUSPECT, POISON = 2, 3
"""Worker deaths with an entry in memory from which on it runs alone, and is not run at all."""

_event = msgspec.json.Decoder(dict[str, Any])


class End(StrEnum):
    """Why the reading of a lane ended."""

    FENCED = "fenced"
    EMPTY = "empty"


class Consumer:
    """The lanes that this worker owns: reads them into the queues and has them settled."""

    def __init__(
        self, lanes: Lanes, intake: Intake, queues: SerialQueues, tally: Tally, *, concurrency: int
    ) -> None:
        self._lanes, self._intake, self._queues, self._tally = lanes, intake, queues, tally
        self._concurrency = concurrency
        self._holds: dict[str, Hold] = {}
        self._settlers: set[asyncio.Task[None]] = set()

    def names(self) -> list[str]:
        """The lanes that are read now; may be called from any thread."""
        return list(self._holds)

    def lose(self, names: set[str]) -> None:
        """Somebody else owns these lanes: what of them has not started is dropped."""
        for name in names & self._holds.keys():
            self._drop(self._holds[name])

    async def consume(self, lane: Lane, *, until_empty: bool = False) -> End:
        """Read a lane that we have joined until it is lost, or (if asked) empty. What was started ends and is settled."""
        hold = Hold(lane, await patiently(lambda: self._lanes.deaths(lane), "deaths"), self._concurrency)
        self._holds[lane.name] = hold
        self._start_settler(hold)
        try:
            await self._read(hold, until_empty=until_empty)
            return End.EMPTY
        except Fenced:
            log.warning("lane_fenced", lane=lane.name)
            return End.FENCED
        finally:
            self._drop(hold)
            hold.close()
            if self._holds.get(lane.name) is hold:
                del self._holds[lane.name]

    async def settled(self) -> None:
        """Until everything that has ended is settled, on all lanes, also those that are not read any more."""
        await asyncio.gather(*self._settlers)

    async def abandon(self) -> None:
        """Give up settling; what is left unsettled is delivered again."""
        for task in self._settlers:
            task.cancel()
        await asyncio.gather(*self._settlers, return_exceptions=True)

    def _start_settler(self, hold: Hold) -> None:
        task = asyncio.create_task(Settler(self._lanes, hold, self._tally).run(), name=f"settler-{hold.lane.name}")
        self._settlers.add(task)
        task.add_done_callback(self._settlers.discard)

    def _drop(self, hold: Hold) -> None:
        hold.lose()
        hold.forget(job.delivery.entry_id for job in self._queues.drop(hold))

    async def _read(self, hold: Hold, *, until_empty: bool) -> None:
        while True:
            await hold.wait_for_room()
            if hold.lost:
                raise Fenced(hold.lane.name)
            ...
