"""Events that other nexuses, or the mover of parked ones, send to the socket workers here: by a lane of this nexus.

The lane is joined when the first socket worker comes. An entry is settled before it is handed on, so it is handed at
most once; what is still on the lane when the nexus dies is adopted by a stream worker.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.envelope import Envelope, decode_envelope
from botmatrix.bus.lanes import SETTLED, Delivery, Lane, Lanes, Settlement
from botmatrix.errors import BadEnvelope, BadFrame, EngineUnavailable, Fenced

log = structlog.get_logger("sockets")
COUNT = 64
BLOCK_MS = 1000
PAUSE = 0.5


class Relay:
    """Reads the lane. `give` gets each event that is ours now. Counter: `relayed`."""

    def __init__(self, lanes: Lanes, name: str, give: Callable[[Envelope, bytes], None]) -> None:
        self._lanes, self._name, self._give = lanes, name, give
        self._wanted = asyncio.Event()
        self._lane: Lane | None = None
        self.counters: Counter[str] = Counter()

    def want(self) -> None:
        """There are socket workers here."""
        self._wanted.set()

    async def run(self) -> None:
        """Join and read, for as long as the nexus lives."""
        await self._wanted.wait()
        while True:
            try:
                self._lane = self._lane or await self._lanes.join(self._name)
                if self._lane is None:
                    await asyncio.sleep(PAUSE)
                else:
                    await self._read(self._lane)
            except Fenced:
                self._lane = None
            except (EngineUnavailable, ReplyError) as error:
                log.debug("nothing is relayed", error=str(error))
                # What a lost answer delivered is pending: a new group gives it again, from the front.
                self._lane = None
                await asyncio.sleep(PAUSE)

    async def close(self) -> None:
        """At an orderly stop: what is left is for others."""
        try:
            if self._lane is not None and not await self._lanes.retire(self._lane):
                await self._lanes.release(self._lane)
        except (EngineUnavailable, ReplyError, TimeoutError) as error:
            log.debug("the relay lane was not given back", error=str(error))
        await self._lanes.close()

    async def _read(self, lane: Lane) -> None:
        deliveries = await self._lanes.read(lane, COUNT, BLOCK_MS)
        if not deliveries:
            return
        read = [(delivery, _decoded(delivery)) for delivery in deliveries]
        letters = await self._lanes.settle(lane, [_settlement(delivery, envelope) for delivery, envelope in read])
        for (delivery, envelope), letter in zip(read, letters, strict=True):
            if envelope is not None and letter == SETTLED:
                self._hand_on(envelope, delivery.payload)

    def _hand_on(self, envelope: Envelope, payload: bytes) -> None:
        try:
            self._give(envelope, payload)
        except BadFrame as error:
            self.counters["relay_bad"] += 1
            log.warning("a relayed event is no event", event=envelope.id, error=str(error))
        else:
            self.counters["relayed"] += 1


def _decoded(delivery: Delivery) -> Envelope | None:
    try:
        return decode_envelope(delivery.payload)
    except BadEnvelope:
        return None


def _settlement(delivery: Delivery, envelope: Envelope | None) -> Settlement:
    if envelope is None:
        return Settlement(delivery.entry_id, "", 0, dead="undecodable", payload=delivery.payload)
    return Settlement(delivery.entry_id, envelope.nexus, envelope.t)
