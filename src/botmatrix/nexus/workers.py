"""The workers as this nexus sees them: who may take an event, how busy each is, which lanes exist.

One script a second (and at once when a worker announces itself) describes all lanes; between two looks the nexus counts
for itself what it sent and what was settled.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Protocol

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import PARKING, Keys, is_parking
from botmatrix.bus.roster import LaneView, read_lanes
from botmatrix.clock import Clock
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.pins import LaneState, Pin, Pins
from botmatrix.routing.balance import Load, pick
from botmatrix.routing.place import Otherwise, Pools, place
from botmatrix.routing.rule import DEFAULT_POOL, POOL
from botmatrix.routing.table import AWAY, WAIT, Route

log = structlog.get_logger("workers")
LOOK_SECONDS = 1.0
AT_ONCE = 500
"""Conversations that are looked up in one go."""


class Beyond(Protocol):
    """Who takes events besides the stream workers: for these there is a lane too, to the nexus that has their link."""

    @property
    def version(self) -> object:
        """Changes with whoever comes and goes; false while there is nobody."""
        ...

    def serves(self, targets: Sequence[str]) -> bool:
        """Whether somebody is one of these targets (a worker's id or `pool:NAME`), for whichever bot."""
        ...

    def relay(self, bot: str, route: Route | None, *, applications: bool) -> str:
        """The lane to an application, or to an old worker, that takes this; "": there is none."""
        ...


class Nobody:
    """There are only stream workers."""

    version = None

    def serves(self, targets: Sequence[str]) -> bool:
        """Nobody does."""
        return False

    def relay(self, bot: str, route: Route | None, *, applications: bool) -> str:
        """There is none."""
        return ""


class Workers:
    """The roster. Implements `ingest.Observer`."""

    def __init__(self, client: Client, keys: Keys, pins: Pins, clock: Clock, rng: random.Random | None = None) -> None:
        self._client, self._keys, self._pins, self._clock = client, keys, pins, clock
        self._rng = rng or random.Random()  # noqa: S311  balancing needs no secrecy
        self.lanes: dict[str, LaneView] = {}
        self.loads: dict[str, Load] = {}
        self.candidates: list[str] = []
        self.parkings: list[str] = []
        self.pools = Pools()
        self.beyond: Beyond = Nobody()
        self._look_now = asyncio.Event()

    # ---------------------------------------------------------- on the message path

    def choose(self, route: Route | None = None) -> str | None:
        """The lane for a conversation that has none, balanced among the workers that its rule names.

        A parking place when it has to wait, None when its rule wants it dropped while the target is away.
        """
        lanes, otherwise, _ = place(route, self.pools)
        if lanes:
            return pick(lanes, self.loads, self._rng, self._clock.now())
        if otherwise is Otherwise.DROP:
            return None
        return (route.parking if route is not None else "") or PARKING

    def choose_lane(self, pin: Pin) -> str:
        """The pin's lane was deleted: take another; the roster is out of date."""
        if pin.lane in self.candidates:
            self.candidates.remove(pin.lane)
            self.pools = self.pools.without(pin.lane)
        self._look_now.set()
        if pin.ruled:  # parked, for there its rule is looked up again
            self._pins.lose_patience(pin)
            return AWAY + pin.target
        return self._balanced()

    def leaves_parking(self, pin: Pin) -> bool:
        """Whether somebody takes its events: then the parked ones are being moved, and later ones may wait for that.

        Not for ever: the rule may have changed to somebody who is away.
        """
        return self.empties(pin.lane, pin.target) and not self._pins.has_waited_long(pin)

    def empties(self, parking: str, target: str = "") -> bool:
        """Whether somebody takes what is in this parking place: its target, else whom its fallback says.

        `target`: who takes what is in the common place, if not the default pool alone.
        """
        wanted = parking.partition(":")[2] or target
        if wanted and self._takes(wanted.split(",")):
            return True
        return not parking.startswith(WAIT) and self._takes([POOL + DEFAULT_POOL])

    def unpark(self, bot: str, route: Route | None) -> str | None:
        """The same as `choose`, for an event that is parked: socket workers get it by the lane of their nexus."""
        if lane := self.beyond.relay(bot, route, applications=True):
            return lane
        chosen = self.choose(route)
        if chosen is None or is_parking(chosen):
            return self.beyond.relay(bot, route, applications=False) or chosen
        return chosen

    def _takes(self, targets: Sequence[str]) -> bool:
        return bool(self.pools.of(targets)) or self.beyond.serves(targets)

    def _balanced(self) -> str:
        return self.choose() or PARKING

    def on_accepted(self, lane: str, count: int) -> None:
        """Events of ours are on this lane."""
        if load := self.loads.get(lane):
            load.sent(count, self._clock.now())

    def on_settled(self, body: bytes) -> None:
        """`lane count sum [dead]`: a worker settled events of ours; `sum` adds up when we received them (ms), `dead`
        says how many of them it gave up."""
        try:
            lane_, count_, total_, *dead_ = body.split(b" ")
            lane, count, received = lane_.decode(), int(count_), int(total_) / int(count_) / 1000
            dead = int(dead_[0]) if dead_ else 0
        except (ValueError, ArithmeticError):
            return
        if load := self.loads.get(lane):
            now = self._clock.now()
            load.settled(count, dead, max(0.0001, now - received), now)

    def on_presence(self, _worker: bytes) -> None:
        """Somebody announced itself: look at once if we do not know it."""
        if _worker.decode(errors="replace") not in self.candidates:
            self._look_now.set()

    # ---------------------------------------------------------- once a second

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            try:
                await self.look()
            except EngineUnavailable:
                log.debug("the roster can't be read: Redis is away")
            except ReplyError as error:
                log.error("the roster can't be read", error=str(error))
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look_now.wait()
                await asyncio.sleep(0.02)  # several workers often start together
            except TimeoutError:
                pass
            self._look_now.clear()

    async def look(self) -> None:
        """Read the roster; free the conversations that are settled."""
        self._pins.begin_round()
        views = await read_lanes(self._client, self._keys)
        self.lanes = {view.lane: view for view in views}
        self._refresh()
        moved = self._pins.end_round({view.lane: LaneState(view.oldest, view.newest) for view in views})
        for start in range(0, len(moved), AT_ONCE):
            await self._follow(moved[start : start + AT_ONCE])

    def look_soon(self) -> None:
        """Something changed: look before the second is over."""
        self._look_now.set()

    async def _follow(self, pins: Sequence[Pin]) -> None:
        """Their parked events have left: the mover has noted where to."""
        asked = (("HGET", self._keys.affinity(pin.bot), pin.conv) for pin in pins)
        for pin, noted in zip(pins, await self._client.pipeline(*asked), strict=True):
            if isinstance(noted, Exception):
                raise noted
            self._follow_to(pin, noted)

    def _follow_to(self, pin: Pin, noted: bytes | None) -> None:
        lane = noted.decode(errors="replace") if noted else pin.lane
        if lane != pin.lane:
            self._pins.follow(pin, lane)
        elif pin.waiting and (pin.ruled or pin.last != b""):
            self._pins.lose_patience(pin)  # the mover finds what it put elsewhere, as another rule wanted
        elif pin.waiting:
            self._pins.follow(pin, self._balanced())
            pin.fresh = True
        else:
            self._pins.forget(pin)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    def _refresh(self) -> None:
        now = self._clock.now()
        self.candidates = [view.lane for view in self.lanes.values() if view.takes_events]
        self.parkings = [lane for lane in self.lanes if is_parking(lane)]
        self.pools = Pools((lane, self.lanes[lane].pool) for lane in self.candidates)
        for gone in set(self.loads) - set(self.lanes):
            del self.loads[gone]
        for pool in set(self.pools.by_lane.values()):
            self._refresh_pool(self.pools.lanes(pool), now)

    def _refresh_pool(self, lanes: Sequence[str], now: float) -> None:
        loads = {lane: self.loads.setdefault(lane, Load(now)) for lane in lanes}
        heard = [load.ewma for load in loads.values() if load.ewma]
        mean = sum(heard) / len(heard) if heard else 0.0
        for lane, load in loads.items():
            load.look(self.lanes[lane].length, mean, now)
