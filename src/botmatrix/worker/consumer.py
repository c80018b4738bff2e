"""Reading lanes: one reader each; what is read goes to the intake, what has ended to the lane's settler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

import structlog

from botmatrix.bus.lanes import Delivery, Lane, Lanes
from botmatrix.errors import Fenced
from botmatrix.worker.hold import Hold
from botmatrix.worker.intake import Intake
from botmatrix.worker.patience import patiently
from botmatrix.worker.settler import Settler
from botmatrix.worker.tally import Tally

log = structlog.get_logger("worker.consumer")

COUNT = 64
BLOCK_MS = 1000


class End(StrEnum):
    """Why the reading of a lane ended."""

    FENCED = "fenced"
    EMPTY = "empty"


class Consumer:
    """The lanes that this worker owns and reads. The settlers run in `group`."""

    def __init__(
        self, lanes: Lanes, intake: Intake, tally: Tally, group: asyncio.TaskGroup, *, concurrency: int
    ) -> None:
        self._lanes, self._intake, self._tally = lanes, intake, tally
        self._group, self._concurrency = group, concurrency
        self._holds: dict[str, Hold] = {}
        self._settlers: set[asyncio.Task[None]] = set()

    def names(self) -> list[str]:
        """The lanes that are read now; may be called from any thread."""
        return list(self._holds)

    def lanes(self) -> list[Lane]:
        """The same, as they were joined."""
        return [hold.lane for hold in self._holds.values()]

    def lose(self, names: set[str]) -> None:
        """Somebody else owns these lanes: what of them has not started is dropped."""
        for name in names & self._holds.keys():
            self._drop(self._holds[name])

    async def consume(self, lane: Lane, *, leave: Callable[[], bool]) -> End:
        """Read a lane that was joined, until it is lost, or empty while we may `leave`.

        What was started by then still ends and is settled.
        """
        hold = Hold(lane, await patiently(lambda: self._lanes.deaths(lane), "deaths"), self._concurrency)
        self._holds[lane.name] = hold
        self._start_settler(hold)
        try:
            await self._read(hold, leave)
            return End.EMPTY
        except Fenced:
            log.warning("the lane has another owner now", lane=lane.name)
            return End.FENCED
        finally:
            del self._holds[lane.name]
            self._drop(hold)
            hold.close()

    @property
    def is_caught_up(self) -> bool:
        """Whether all that has ended is settled, on every lane."""
        return all(hold.is_caught_up for hold in self._holds.values())

    async def catch_up(self) -> None:
        """Until all that has ended by now is settled, on every lane."""
        for hold in list(self._holds.values()):
            await hold.catch_up()

    async def settled(self) -> None:
        """Until everything that has ended is settled, on all lanes that are not read any more. Cancelled, gives up."""
        await asyncio.gather(*self._settlers)

    def _start_settler(self, hold: Hold) -> None:
        settler = Settler(self._lanes, hold, self._tally)
        task = self._group.create_task(settler.run(), name=f"settler-{hold.lane.name}")
        self._settlers.add(task)
        task.add_done_callback(self._settlers.discard)

    def _drop(self, hold: Hold) -> None:
        hold.lose()
        self._intake.drop(hold)

    async def _read(self, hold: Hold, leave: Callable[[], bool]) -> None:
        while True:
            await hold.wait_for_room()
            deliveries = await patiently(lambda: self._next(hold), "read")
            if hold.lost:
                raise Fenced(hold.lane.name)
            if deliveries:
                self._intake.accept(hold, deliveries)
            elif leave() and not hold.entries:
                return

    async def _next(self, hold: Hold) -> list[Delivery]:
        """The next entries; after a read whose answer got lost, those that it delivered."""
        if hold.lost:
            raise Fenced(hold.lane.name)
        if hold.unanswered:
            return await self._missed(hold)
        hold.unanswered = True
        deliveries = await self._lanes.read(hold.lane, min(COUNT, hold.room()), BLOCK_MS)
        hold.unanswered = False
        return deliveries

    async def _missed(self, hold: Hold) -> list[Delivery]:
        known, after = hold.entries.copy(), b"0"
        missed: list[Delivery] = []
        while page := await self._lanes.unsettled(hold.lane, after, COUNT):
            missed += [delivery for delivery in page if delivery.entry_id not in known]
            after = page[-1].entry_id
        hold.unanswered = False
        return missed
