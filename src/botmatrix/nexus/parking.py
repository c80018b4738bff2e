"""Moves parked events on, in order, as soon as a worker takes events. One nexus at a time does it."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import FIELD, decode_envelope
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.scripts import UNPARK
from botmatrix.errors import BadEnvelope, EngineUnavailable
from botmatrix.nexus.workers import Workers

log = structlog.get_logger("parking")
EVERY = 0.5
LEASE_MS = 3000
PAGE = 200


class Parking:
    """The mover of this nexus; idle while another holds the lease."""

    def __init__(self, client: Client, keys: Keys, inc: str, workers: Workers) -> None:
        self._client, self._keys, self._inc, self._workers = client, keys, inc, workers

    async def run(self) -> None:
        """Look twice a second."""
        while True:
            try:
                while self._workers.candidates and await self._mine() and await self.move():
                    pass
            except (EngineUnavailable, ReplyError) as error:
                log.debug("parked events wait", error=str(error))
            await asyncio.sleep(EVERY)

    async def move(self) -> int:
        """Move one page; returns how many went. Stops at a lane that takes nothing."""
        k = self._keys
        entries = await self._client.call("XRANGE", k.lane(PARKING), "-", "+", "COUNT", PAGE)
        moved = 0
        for entry_id, fields in entries:
            lane, affinity, conv = await self._where(fields)
            args = (lane, entry_id, affinity, conv)
            gone = await self._client.run(UNPARK, [k.lane(PARKING), k.lane(lane)], *args)
            if not gone:
                return moved
            self._workers.on_accepted(lane, 1)
            moved += 1
        return moved

    async def _where(self, fields: list[Any]) -> tuple[str, str, str]:
        """The lane that already has earlier events of the conversation, or a balanced choice."""
        k = self._keys
        known = dict(zip(fields[::2], fields[1::2], strict=False))
        try:
            envelope = decode_envelope(known.get(FIELD, b""))
        except BadEnvelope:
            return self._workers.choose(), k.affinity("none"), "none"  # a worker turns it into a dead letter
        affinity = k.affinity(envelope.bot)
        there = await self._client.call("HGET", affinity, envelope.conv)
        lane = there.decode(errors="replace") if there else PARKING
        if lane == PARKING or lane not in self._workers.lanes:
            lane = self._workers.choose()
        return lane, affinity, envelope.conv

    async def _mine(self) -> bool:
        key = self._keys.parking_owner
        took = await self._client.call("SET", key, self._inc, "NX", "PX", LEASE_MS)
        if not took and await self._client.call("GET", key) != self._inc.encode():
            return False
        await self._client.call("PEXPIRE", key, LEASE_MS)
        return True
