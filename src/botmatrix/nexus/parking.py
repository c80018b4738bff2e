"""Moves parked events on, in order, as soon as a worker takes them. One nexus at a time does it.

Besides the common parking place there is one for each rule's target that is away (`wait:w7`, `away:pool:vip`), so
that nobody stands behind those who wait for somebody else. An event waits for whoever its rule names now, not then.
Those that have to wait are passed over, and looked at again when that may have changed; what waited for a day is given
up.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import FIELD, decode_envelope
from botmatrix.bus.keys import PARKING, Keys, is_parking
from botmatrix.bus.scripts import BURY, UNPARK
from botmatrix.errors import BadEnvelope, BadFrame, EngineUnavailable
from botmatrix.nexus.rules import Rules
from botmatrix.nexus.workers import Workers
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session
from botmatrix.routing.rule import DEFAULT_POOL, POOL
from botmatrix.routing.table import WAIT, Route

log = structlog.get_logger("parking")
EVERY = 0.25
LEASE_MS = 3000
PAGE = 500
LOOK_AGAIN = 60.0
WAIT_SECONDS = 86_400.0
"""For so long an event waits for a target whose rule says `wait`."""


class LeaseLost(Exception):
    """Another nexus moves parked events by now: what was found out here is out of date."""


class Parked(NamedTuple):
    """One parked entry: where its conversation (or the part of it that follows a rule) is noted, and its rule."""

    entry_id: bytes
    affinity: str
    conv: str
    route: Route | None
    bot: str = ""
    payload: bytes = b""

    @property
    def conversation(self) -> tuple[str, str]:
        """What keeps its order."""
        return self.affinity, self.conv


class Place:
    """How far the mover is in one parking place. `passed`: conversations that have to wait there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.target = name.partition(":")[2] or POOL + DEFAULT_POOL
        self.after = b"-"
        self.passed: set[tuple[str, str]] = set()
        self.refused = False
        self._seen: object = None
        self._again = 0.0

    def begin_again_if(self, seen: object, now: float) -> None:
        """From the front, when what decides is not what it was, or was long ago."""
        if self.refused or seen != self._seen or now >= self._again:
            self._seen, self._again, self.refused = seen, now + LOOK_AGAIN, False
            self.after = b"-"
            self.passed.clear()


class Parking:
    """The mover of this nexus; idle while another holds the lease. Counters: `buried_rule`, `expired`."""

    def __init__(self, client: Client, keys: Keys, inc: str, workers: Workers, rules: Rules) -> None:
        self._client, self._keys, self._inc = client, keys, inc
        self._workers, self._rules = workers, rules
        self._places: dict[str, Place] = {}
        self.on_buried: Callable[[bytes, str], None] = lambda _payload, _reason: None
        self.counters: Counter[str] = Counter()

    async def run(self) -> None:
        """Look four times a second."""
        while True:
            try:
                while (self._is_wanted() or self._overdue()) and await self._mine() and await self.move():
                    pass
            except (EngineUnavailable, ReplyError, LeaseLost) as error:
                self._places.clear()
                log.debug("parked events wait", error=str(error))
            await asyncio.sleep(EVERY)

    async def move(self) -> bool:
        """Give up what is overdue, and move a page of each place. False: that was all, or nobody takes it just now.

        Raises `LeaseLost`, `EngineUnavailable`.
        """
        for name in self._overdue():
            await self._give_up(name)
        names = [PARKING, *(name for name in self._workers.parkings if name != PARKING)]
        self._places = {name: self._places.get(name) or Place(name) for name in names}
        if not self._is_wanted():
            return False
        return any([await self._move_page(place) for place in self._places.values()])

    def _is_wanted(self) -> bool:
        return bool(self._workers.candidates or self._workers.beyond.version)

    # ---------------------------------------------------------------- one place

    async def _move_page(self, place: Place) -> bool:
        """Move one page, a target at a time, from behind what was passed over.

        False: there is nothing behind it, or its targets take nothing just now. Those keep their shares waiting.
        """
        # Who comes and goes matters only to those who have somebody to go to.
        moves = place.name == PARKING or self._workers.empties(place.name)
        takers = (self._workers.pools.by_lane, self._workers.beyond.version)
        seen = (self._rules.table, takers if moves else None)
        place.begin_again_if(seen, time.monotonic() if moves else 0.0)
        view = self._workers.lanes.get(place.name)
        if not moves and view is not None and place.after == b"(" + view.newest:
            return False
        stream = self._keys.lane(place.name)
        entries = await self._client.call("XRANGE", stream, place.after, "+", "COUNT", PAGE)
        if not entries:
            return False
        shares = await self._shares(place, [self._parked(place, entry_id, fields) for entry_id, fields in entries])
        moved = sum([await self._move_share(place, lane, share) for lane, share in shares.items()])
        place.after = b"(" + entries[-1][0]
        if moved:
            self._workers.look_soon()
        return moved > 0 or not shares

    async def _shares(self, place: Place, parked: Sequence[Parked]) -> dict[str, list[Parked]]:
        """What goes to which lane, or to which other place.

        Passes over what has to wait, and whatever is behind it in its conversation.
        """
        noted = await self._noted({one.conversation for one in parked} - place.passed)
        shares: dict[str, list[Parked]] = {}
        unwanted: dict[str, dict[bytes, bytes]] = {}
        for one in parked:
            if one.route is not None and one.route.blocked:
                unwanted.setdefault("blocked_rule", {})[one.entry_id] = one.payload
            elif one.conversation not in place.passed:
                lane = noted.get(one.conversation) or self._workers.unpark(one.bot, one.route)
                if lane is None:
                    unwanted.setdefault("dropped_rule", {})[one.entry_id] = one.payload
                elif lane == place.name:
                    place.passed.add(one.conversation)
                else:
                    noted[one.conversation] = lane
                    shares.setdefault(lane, []).append(one)
        for reason, entries in unwanted.items():
            self.counters["buried_rule"] += await self._bury(place.name, reason, entries)
        return shares

    async def _move_share(self, place: Place, lane: str, share: list[Parked]) -> int:
        k = self._keys
        args = [part for one in share for part in one[:3]]
        keys = [k.lane(place.name), k.lane(lane), k.parkings, k.parking_owner]
        moved = int(await self._client.run(UNPARK, keys, place.name, lane, self._inc, *args))
        if moved < 0:
            raise LeaseLost
        self._workers.on_accepted(lane, moved)
        if moved < len(share):
            place.refused = True  # that lane takes nothing now: soon again
            place.passed.update(one.conversation for one in share)
        return moved

    async def _noted(self, conversations: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The lanes that already have earlier events of these conversations."""
        wanted = list(conversations)
        if not wanted:
            return {}
        noted = await self._client.pipeline(*(("HGET", affinity, conv) for affinity, conv in wanted))
        names = [lane.decode(errors="replace") if isinstance(lane, bytes) else PARKING for lane in noted]
        known = self._workers.lanes
        return {one: name for one, name in zip(wanted, names, strict=True) if not is_parking(name) and name in known}

    # ---------------------------------------------------------------- one entry

    def _parked(self, place: Place, entry_id: bytes, fields: list[Any]) -> Parked:
        k = self._keys
        payload = _payload(fields)
        try:
            envelope = decode_envelope(payload)
        except BadEnvelope:
            return Parked(entry_id, k.affinity("none"), "none", None)  # a worker turns it into a dead letter
        route = self._route(place, envelope.bot, bytes(envelope.event))
        conv = envelope.conv + route.mark if route is not None else envelope.conv
        return Parked(entry_id, k.affinity(envelope.bot), conv, route, envelope.bot, payload)

    def _route(self, place: Place, bot: str, raw: bytes) -> Route | None:
        """What the rules say now; of a copy, what they say of its own target."""
        if not self._rules.table.rules:
            return None
        self_id = bot.partition(":")[2]
        try:
            event = Session("", "").receive(raw)
        except BadFrame:
            return None
        if not isinstance(event, Event):
            return None
        route = self._rules.table.match(self_id, event.group_id, event.user_id)
        return route.to(place.target) if route is not None else None

    # ---------------------------------------------------------------- what nobody will handle

    def _overdue(self) -> list[str]:
        """Places where something has waited for a day."""
        limit = (time.time() - WAIT_SECONDS) * 1000
        lanes = self._workers.lanes
        return [
            name
            for name in self._workers.parkings
            if name.startswith(WAIT) and name in lanes and 0 < _milliseconds(lanes[name].oldest) < limit
        ]

    async def _give_up(self, name: str) -> None:
        limit = int((time.time() - WAIT_SECONDS) * 1000)
        entries = await self._client.call("XRANGE", self._keys.lane(name), "-", limit, "COUNT", PAGE)
        if entries:
            payloads = {entry_id: _payload(fields) for entry_id, fields in entries}
            self.counters["expired"] += await self._bury(name, "expired", payloads)
            self._workers.look_soon()

    async def _bury(self, name: str, reason: str, payloads: dict[bytes, bytes]) -> int:
        k = self._keys
        keys = [k.lane(name), k.dead, k.stats, k.parkings]
        buried = int(await self._client.run(BURY, keys, name, reason, *payloads))
        for payload in payloads.values():
            self.on_buried(payload, reason)
        return buried

    async def _mine(self) -> bool:
        key = self._keys.parking_owner
        took = await self._client.call("SET", key, self._inc, "NX", "PX", LEASE_MS)
        if not took and await self._client.call("GET", key) != self._inc.encode():
            self._places.clear()
            return False
        await self._client.call("PEXPIRE", key, LEASE_MS)
        return True


def _payload(fields: list[Any]) -> bytes:
    return bytes(dict(zip(fields[::2], fields[1::2], strict=False)).get(FIELD, b""))


def _milliseconds(entry_id: bytes) -> int:
    ms = entry_id.partition(b"-")[0]
    return int(ms) if ms.isdigit() else 0
