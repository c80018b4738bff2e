"""Moves parked events on, in order, as soon as a worker takes events. One nexus at a time does it."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import FIELD, decode_envelope
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.scripts import UNPARK
from botmatrix.errors import BadEnvelope, EngineUnavailable
from botmatrix.nexus.workers import Workers

log = structlog.get_logger("parking")
EVERY = 0.25
LEASE_MS = 3000
PAGE = 500


class Parked(NamedTuple):
    """One parked entry, and where its conversation is noted."""

    entry_id: bytes
    affinity: str
    conv: str


class Parking:
    """The mover of this nexus; idle while another holds the lease."""

    def __init__(self, client: Client, keys: Keys, inc: str, workers: Workers) -> None:
        self._client, self._keys, self._inc, self._workers = client, keys, inc, workers

    async def run(self) -> None:
        """Look four times a second."""
        while True:
            try:
                while self._workers.candidates and await self._mine() and await self.move():
                    self._workers.look_soon()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("parked events wait", error=str(error))
            await asyncio.sleep(EVERY)

    async def move(self) -> int:
        """Move one page, a lane at a time; returns how many went. A lane that takes nothing keeps its share waiting."""
        k = self._keys
        entries = await self._client.call("XRANGE", k.lane(PARKING), "-", "+", "COUNT", PAGE)
        parked = [self._parked(entry_id, fields) for entry_id, fields in entries]
        shares: dict[str, list[Parked]] = {}
        places = await self._places({(one.affinity, one.conv) for one in parked})
        for one in parked:
            shares.setdefault(places[one.affinity, one.conv], []).append(one)
        return sum([await self._move_share(lane, share) for lane, share in shares.items() if lane != PARKING])

    async def _move_share(self, lane: str, share: list[Parked]) -> int:
        args = [part for one in share for part in one]
        moved = int(await self._client.run(UNPARK, [self._keys.lane(PARKING), self._keys.lane(lane)], lane, *args))
        self._workers.on_accepted(lane, moved)
        return moved

    async def _places(self, conversations: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """For each the lane that already has earlier events of it, or a balanced choice."""
        wanted = list(conversations)
        noted = await self._client.pipeline(*(("HGET", affinity, conv) for affinity, conv in wanted))
        places = {}
        for conversation, lane in zip(wanted, noted, strict=True):
            name = lane.decode(errors="replace") if isinstance(lane, bytes) else PARKING
            known = name != PARKING and name in self._workers.lanes
            places[conversation] = name if known else self._workers.choose()
        return places

    def _parked(self, entry_id: bytes, fields: list[Any]) -> Parked:
        k = self._keys
        known = dict(zip(fields[::2], fields[1::2], strict=False))
        try:
            envelope = decode_envelope(known.get(FIELD, b""))
        except BadEnvelope:
            return Parked(entry_id, k.affinity("none"), "none")  # a worker turns it into a dead letter
        return Parked(entry_id, k.affinity(envelope.bot), envelope.conv)

    async def _mine(self) -> bool:
        key = self._keys.parking_owner
        took = await self._client.call("SET", key, self._inc, "NX", "PX", LEASE_MS)
        if not took and await self._client.call("GET", key) != self._inc.encode():
            return False
        await self._client.call("PEXPIRE", key, LEASE_MS)
        return True
