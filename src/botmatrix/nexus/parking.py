"""Moves parked events on, in order, as soon as a worker takes them. One nexus at a time does it.

An event waits for whoever its rule names now, not then. Those that have to wait are passed over, and looked at again
when the workers or the rules have changed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, NamedTuple

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import FIELD, decode_envelope
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.scripts import BURY, UNPARK
from botmatrix.errors import BadEnvelope, BadFrame, EngineUnavailable
from botmatrix.nexus.rules import Rules
from botmatrix.nexus.workers import Workers
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session
from botmatrix.routing.table import Route

log = structlog.get_logger("parking")
EVERY = 0.5
LEASE_MS = 3000
PAGE = 200
LOOK_AGAIN = 60.0


class Parked(NamedTuple):
    """One parked entry: where its conversation (or the part of it that follows a rule) is noted, and its rule."""

    entry_id: bytes
    affinity: str
    conv: str
    route: Route | None


class Parking:
    """The mover of this nexus; idle while another holds the lease. Counters: `buried_rule`."""

    def __init__(self, client: Client, keys: Keys, inc: str, workers: Workers, rules: Rules) -> None:
        self._client, self._keys, self._inc = client, keys, inc
        self._workers, self._rules = workers, rules
        self._after = b"-"
        self._passed: set[tuple[str, str]] = set()
        self._seen: object = None
        self._refused = False
        self._again = 0.0
        self.counters: Counter[str] = Counter()

    async def run(self) -> None:
        """Look twice a second."""
        while True:
            try:
                while self._workers.candidates and await self._mine() and await self.move():
                    pass
            except (EngineUnavailable, ReplyError) as error:
                self._seen = None
                log.debug("parked events wait", error=str(error))
            if self._refused:
                self._seen, self._refused = None, False
            await asyncio.sleep(EVERY)

    async def move(self) -> int:
        """Look at one page behind those that were passed over; returns how many entries it had."""
        self._begin_again_if_changed()
        k = self._keys
        entries = await self._client.call("XRANGE", k.lane(PARKING), self._after, "+", "COUNT", PAGE)
        for entry_id, fields in entries:
            parked = self._parked(entry_id, fields)
            if not await self._move_on(parked):
                self._passed.add((parked.affinity, parked.conv))
            self._after = b"(" + entry_id
        return len(entries)

    def _begin_again_if_changed(self) -> None:
        now = time.monotonic()
        seen = (self._rules.table, tuple(self._workers.candidates))
        if seen != self._seen or now >= self._again:
            self._seen, self._again = seen, now + LOOK_AGAIN
            self._after = b"-"
            self._passed.clear()

    async def _move_on(self, parked: Parked) -> bool:
        """False: it has to wait, and so has whatever is behind it in its conversation."""
        if (parked.affinity, parked.conv) in self._passed:
            return False
        if parked.route is not None and parked.route.blocked:
            return await self._bury(parked, "blocked_rule")
        lane = await self._where(parked)
        if lane is None:
            return await self._bury(parked, "dropped_rule")
        if lane == PARKING:
            return False
        args = (lane, parked.entry_id, parked.affinity, parked.conv)
        if not await self._client.run(UNPARK, [self._keys.lane(PARKING), self._keys.lane(lane)], *args):
            self._refused = True  # that lane takes nothing now: soon again
            return False
        self._workers.on_accepted(lane, 1)
        return True

    async def _where(self, parked: Parked) -> str | None:
        """The lane that already has earlier events of the conversation, or a balanced choice."""
        there = await self._client.call("HGET", parked.affinity, parked.conv)
        lane = there.decode() if there else PARKING
        if lane != PARKING and lane in self._workers.lanes:
            return lane
        return self._workers.choose(parked.route)

    def _parked(self, entry_id: bytes, fields: list[Any]) -> Parked:
        k = self._keys
        known = dict(zip(fields[::2], fields[1::2], strict=False))
        try:
            envelope = decode_envelope(known.get(FIELD, b""))
        except BadEnvelope:
            return Parked(entry_id, k.affinity("none"), "none", None)  # a worker turns it into a dead letter
        route = self._route(envelope.bot, bytes(envelope.event))
        conv = envelope.conv + route.mark if route is not None else envelope.conv
        return Parked(entry_id, k.affinity(envelope.bot), conv, route)

    def _route(self, bot: str, raw: bytes) -> Route | None:
        self_id = bot.partition(":")[2]
        try:
            event = Session("", "").receive(raw)
        except BadFrame:
            return None
        return self._rules.table.match(self_id, event.group_id, event.user_id) if isinstance(event, Event) else None

    async def _bury(self, parked: Parked, reason: str) -> bool:
        k = self._keys
        await self._client.run(BURY, [k.lane(PARKING), k.dead, k.stats], parked.entry_id, reason, PARKING)
        self.counters["buried_rule"] += 1
        return True

    async def _mine(self) -> bool:
        key = self._keys.parking_owner
        took = await self._client.call("SET", key, self._inc, "NX", "PX", LEASE_MS)
        if not took and await self._client.call("GET", key) != self._inc.encode():
            return False
        await self._client.call("PEXPIRE", key, LEASE_MS)
        return True
