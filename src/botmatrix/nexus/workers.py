"""The workers as this nexus sees them: who may take an event, how busy each is, which lanes exist.

One script a second (and at once when a worker announces itself) describes all lanes; between two looks the nexus counts
for itself what it sent and what was settled.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.scripts import ROSTER
from botmatrix.clock import Clock
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.pins import LaneState, Pin, Pins
from botmatrix.routing.balance import Load, pick

log = structlog.get_logger("workers")
LOOK_SECONDS = 1.0


@dataclass(slots=True)
class LaneView:
    """One lane: its owner, whether it lives, how much is unsettled, what its worker says of itself."""

    lane: str
    owner: str
    alive: bool
    length: int
    presence: dict[str, str]

    @property
    def takes_events(self) -> bool:
        """Its own worker reads it, lives, and is not draining."""
        own = self.owner.startswith(self.lane + ".")
        return self.alive and own and bool(self.presence) and self.presence.get("draining", "0") != "1"


class Workers:
    """The roster. Implements `ingest.Observer`."""

    def __init__(self, client: Client, keys: Keys, pins: Pins, clock: Clock, rng: random.Random | None = None) -> None:
        self._client, self._keys, self._pins, self._clock = client, keys, pins, clock
        self._rng = rng or random.Random()  # noqa: S311  balancing needs no secrecy
        self.lanes: dict[str, LaneView] = {}
        self.loads: dict[str, Load] = {}
        self.candidates: list[str] = []
        self._look_now = asyncio.Event()

    # ---------------------------------------------------------- on the message path

    def choose(self) -> str:
        """The lane for a conversation that has none: balanced, or the parking place when nobody takes events."""
        if not self.candidates:
            return PARKING
        return pick(self.candidates, self.loads, self._rng)

    def choose_lane(self, pin: Pin) -> str:
        """The pin's lane was deleted: take another; the roster is out of date."""
        if pin.lane in self.candidates:
            self.candidates.remove(pin.lane)
        self._look_now.set()
        return self.choose()

    def leaves_parking(self, _pin: Pin) -> bool:
        """Whether somebody takes events: then the parked ones are being moved."""
        return bool(self.candidates)

    def on_accepted(self, lane: str, count: int) -> None:
        """Events of ours are on this lane."""
        if load := self.loads.get(lane):
            load.in_flight += count

    def on_settled(self, body: bytes) -> None:
        """`lane count sum`: a worker settled events of ours; `sum` adds up when we received them (ms)."""
        try:
            lane_, count_, total_ = body.split(b" ")
            lane, count, received = lane_.decode(), int(count_), int(total_) / int(count_) / 1000
        except (ValueError, ArithmeticError):
            return
        if load := self.loads.get(lane):
            now = self._clock.now()
            load.in_flight = max(0, load.in_flight - count)
            load.observe(max(0.0001, now - received), now)

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
        k = self._keys
        self._pins.begin_round()
        rows = await self._client.run(ROSTER, [k.own], k.prefix, k.lease(""), PARKING)
        states: dict[str, LaneState] = {}
        self.lanes = {}
        for row in rows:
            view, state = _view(row)
            states[view.lane] = state
            self.lanes[view.lane] = view
        self._refresh()
        for pin in self._pins.end_round(states):
            await self._follow(pin)

    def look_soon(self) -> None:
        """Something changed: look before the second is over."""
        self._look_now.set()

    async def _follow(self, pin: Pin) -> None:
        """Its parked events have left: the mover has noted where to."""
        noted = await self._client.call("HGET", self._keys.affinity(pin.bot), pin.conv)
        if noted and noted != PARKING.encode():
            self._pins.follow(pin, noted.decode(errors="replace"))
        elif pin.waiting:
            self._pins.follow(pin, self.choose())
            pin.fresh = True
        else:
            self._pins.forget(pin)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    def _refresh(self) -> None:
        now = self._clock.now()
        self.candidates = [view.lane for view in self.lanes.values() if view.takes_events]
        heard = [load.ewma for load in self.loads.values() if load.ewma]
        mean = sum(heard) / len(heard) if heard else 0.0
        for lane in self.candidates:
            load = self.loads.setdefault(lane, Load(now))
            # Settled notices are lossy: the lane's own length is the upper bound.
            load.in_flight = min(load.in_flight, self.lanes[lane].length)
            if load.ewma and not load.in_flight:
                load.relax(mean, now)
        for gone in set(self.loads) - set(self.lanes):
            del self.loads[gone]


def _view(row: list[Any]) -> tuple[LaneView, LaneState]:
    lane, owner, alive, oldest, newest, length, flat = row
    words = [word.decode(errors="replace") for word in flat]
    presence = dict(zip(words[::2], words[1::2], strict=True))
    view = LaneView(lane.decode(), owner.decode(errors="replace"), bool(alive), length, presence)
    return view, LaneState(oldest, newest)
