"""Moves parked events on, in order, as soon as a worker takes them. One nexus at a time does it.

An event waits for whoever its rule names now, not then. Those that have to wait are passed over, and looked at again
when the workers or the rules have changed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
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
EVERY = 0.25
LEASE_MS = 3000
PAGE = 500
LOOK_AGAIN = 60.0


class Parked(NamedTuple):
    """One parked entry: where its conversation (or the part of it that follows a rule) is noted, and its rule."""

    entry_id: bytes
    affinity: str
    conv: str
    route: Route | None

    @property
    def conversation(self) -> tuple[str, str]:
        """What keeps its order."""
        return self.affinity, self.conv


class Parking:
    """The mover of this nexus; idle while another holds the lease. Counters: `buried_rule`."""

    def __init__(self, client: Client, keys: Keys, inc: str, workers: Workers, rules: Rules) -> None:
        self._client, self._keys, self._inc = client, keys, inc
        self._workers, self._rules = workers, rules
        self._after = b"-"
        self._passed: set[tuple[str, str]] = set()
        self._seen: object = None
        self._again = 0.0
        self._refused = False
        self.counters: Counter[str] = Counter()

    async def run(self) -> None:
        """Look four times a second."""
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

    async def move(self) -> bool:
        """Move one page, a lane at a time, from behind what was passed over.

        False: there is nothing behind it, or its lanes take nothing just now. Those keep their shares waiting.
        """
        self._begin_again_if_changed()
        k = self._keys
        entries = await self._client.call("XRANGE", k.lane(PARKING), self._after, "+", "COUNT", PAGE)
        if not entries:
            return False
        shares = await self._shares([self._parked(entry_id, fields) for entry_id, fields in entries])
        moved = sum([await self._move_share(lane, share) for lane, share in shares.items()])
        self._after = b"(" + entries[-1][0]
        if moved:
            self._workers.look_soon()
        return moved > 0 or not shares

    def _begin_again_if_changed(self) -> None:
        now = time.monotonic()
        seen = (self._rules.table, self._workers.pools.by_lane)
        if seen != self._seen or now >= self._again:
            self._seen, self._again = seen, now + LOOK_AGAIN
            self._after = b"-"
            self._passed.clear()

    async def _shares(self, parked: Sequence[Parked]) -> dict[str, list[Parked]]:
        """What goes to which lane. Passes over what has to wait, and whatever is behind it in its conversation."""
        places = await self._noted({one.conversation for one in parked} - self._passed)
        shares: dict[str, list[Parked]] = {}
        for one in parked:
            if one.route is not None and one.route.blocked:
                await self._bury(one, "blocked_rule")
            elif one.conversation not in self._passed:
                lane = places.get(one.conversation) or self._workers.choose(one.route)
                if lane is None:
                    await self._bury(one, "dropped_rule")
                elif lane == PARKING:
                    self._passed.add(one.conversation)
                else:
                    places[one.conversation] = lane
                    shares.setdefault(lane, []).append(one)
        return shares

    async def _move_share(self, lane: str, share: list[Parked]) -> int:
        args = [part for one in share for part in one[:3]]
        moved = int(await self._client.run(UNPARK, [self._keys.lane(PARKING), self._keys.lane(lane)], lane, *args))
        self._workers.on_accepted(lane, moved)
        if moved < len(share):
            self._refused = True  # that lane takes nothing now: soon again
            self._passed.update(one.conversation for one in share)
        return moved

    async def _noted(self, conversations: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The lanes that already have earlier events of these conversations."""
        wanted = list(conversations)
        if not wanted:
            return {}
        noted = await self._client.pipeline(*(("HGET", affinity, conv) for affinity, conv in wanted))
        names = [lane.decode(errors="replace") if isinstance(lane, bytes) else PARKING for lane in noted]
        known = self._workers.lanes
        return {one: name for one, name in zip(wanted, names, strict=True) if name != PARKING and name in known}

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
        if not self._rules.table.rules:
            return None
        self_id = bot.partition(":")[2]
        try:
            event = Session("", "").receive(raw)
        except BadFrame:
            return None
        return self._rules.table.match(self_id, event.group_id, event.user_id) if isinstance(event, Event) else None

    async def _bury(self, parked: Parked, reason: str) -> None:
        k = self._keys
        buried = await self._client.run(BURY, [k.lane(PARKING), k.dead, k.stats], parked.entry_id, reason, PARKING)
        self.counters["buried_rule"] += int(buried)

    async def _mine(self) -> bool:
        key = self._keys.parking_owner
        took = await self._client.call("SET", key, self._inc, "NX", "PX", LEASE_MS)
        if not took and await self._client.call("GET", key) != self._inc.encode():
            self._seen = None
            return False
        await self._client.call("PEXPIRE", key, LEASE_MS)
        return True
