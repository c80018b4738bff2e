"""From a judged event to its worker: gives it an id, a duplicate mark and an envelope, and puts it on its lane."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import msgspec

from botmatrix.bus.envelope import Envelope, encode
from botmatrix.bus.event_id import is_traced
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.nexus.hub import Bot
from botmatrix.nexus.ingest import Ingest
from botmatrix.nexus.live import Live
from botmatrix.nexus.pins import Pin, Pins
from botmatrix.nexus.recent import GENERATION
from botmatrix.nexus.sockets.choice import Choice
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.nexus.spool import Parcel
from botmatrix.nexus.tracer import Tracer
from botmatrix.onebot.event import Event
from botmatrix.routing.rule import Fallback
from botmatrix.routing.table import Route, copy_route

MARKS = 65_536
"""In each generation of remembered duplicate marks."""
_SAID = frozenset({"message", "message_sent"})
"""What has a message_id of its own; that of a notice is of the message that it is about, and many may be about one."""


class Dispatcher:
    """Sends events of this nexus's bots to workers. Counters: `duplicate`, of those that go by socket."""

    def __init__(
        self,
        keys: Keys,
        inc: str,
        pins: Pins,
        choice: Choice,
        sockets: SocketWorkers,
        ingest: Ingest,
        live: Live,
        tracer: Tracer,
    ) -> None:
        self._keys, self._inc, self._live, self._tracer = keys, inc, live, tracer
        self._pins, self._choice, self._sockets, self._ingest = pins, choice, sockets, ingest
        self._lately = RecentMarks()
        self._relayed: dict[str, Pin] = {}
        self.counters: Counter[str] = Counter()

    def dispatch(
        self, bot: Bot, event: Event, received_ms: int, route: Route | None = None, *, copy: bool = False
    ) -> str:
        """Put the event on the lane of its conversation, chosen now if it has none; returns the event id.

        The event is on the way when this returns: it is sent until Redis confirms it. What follows a rule to a target
        of its own is pinned apart from the rest of its conversation. Returns "" when the rule's target is away and the
        rule wants the event dropped. A `copy` is no duplicate of another target's copy.
        """
        conv = event.conv
        place = conv + route.mark if route is not None else conv
        pin = self._pins.get(f"{bot.key}|{place}") or self._pin(bot.key, place, route)
        if pin is None:
            return ""
        event_id = self._tracer.begin(event, received_ms)
        envelope = Envelope(event_id, bot.key, conv, self._inc, bot.epoch, received_ms, msgspec.Raw(event.raw))
        if route is not None and route.skill:
            envelope.skill = route.skill
        mark = duplicate_mark(bot.key, event)
        if copy and route is not None:
            envelope.to = route.targets[0]
            mark = blake2b(f"{mark}{place}".encode(), digest_size=8).hexdigest()
        payload = encode(envelope)
        self._put(Parcel(pin, self._keys.mark(mark), payload), route, envelope)
        if self._live.listened:
            self._live.publish(payload)
        if is_traced(event_id):
            self._tracer.passed(envelope, pin.lane, route.key if route is not None else "", copy=copy)
        return event_id

    def again(self, parcel: Parcel, route: Route | None) -> bool:
        """An event that a socket worker took and never got goes to somebody else, as the same event.

        False: its rule wants it dropped while its target is away.
        """
        old = parcel.pin
        place = old.conv.partition("\t")[0] + (route.mark if route is not None else "")
        pin = self._pins.get(f"{old.bot}|{place}") or self._pin(old.bot, place, route)
        if pin is not None:
            self._give(Parcel(pin, parcel.mark, parcel.payload), route)
        return pin is not None

    def beside(self, bot: Bot, event: Event, received_ms: int, route: Route | None) -> int:
        """A copy for each application that gets one whoever is chosen, unless it is among those; how many were sent."""
        chosen = route.targets if route is not None else self._sockets.applications_of(bot.key)
        sent = 0
        for name in self._sockets.copies_of(bot.key):
            if name not in chosen and self._sockets.takes(name, bot.key):
                self.dispatch(bot, event, received_ms, copy_route(bot.self_id, name), copy=True)
                sent += 1
        return sent

    def reaches_socket(self, bot: Bot, event: Event, route: Route | None) -> bool:
        """Whether the event goes to a socket worker that is here, for which Redis is not needed."""
        if not self._sockets.workers:
            return False
        place = event.conv + route.mark if route is not None else event.conv
        pin = self._pins.get(f"{bot.key}|{place}")
        return pin.lane in self._sockets.workers if pin is not None else self._choice.reaches(bot.key, route)

    def relayed(self, envelope: Envelope, payload: bytes, route: Route | None) -> bool:
        """An event that came by the lane of this nexus, for a socket worker here, else for somebody else.

        False: it is a copy for a worker that is away, and nobody waits for it.
        """
        place = envelope.conv + (route.mark if route is not None else "")
        key = f"{envelope.bot}|{place}"
        pin = self._relayed.get(key)
        if pin is None or not pin.waiting:
            pin = self._relayed[key] = Pin(envelope.bot, place, self._choice.near(envelope.bot, route), 0)
            self._forget_relayed()
        if not self._sockets.hand(pin.lane, Parcel(pin, "", payload), envelope):
            if envelope.to and route is not None and route.fallback is Fallback.DROP:
                return False
            pinned = self._pins.get(key)
            if pinned is None or pinned.lane == self._choice.own_lane:
                pinned = self._pins.pin(envelope.bot, place, self._choice.without_sockets(route))
            self._ingest.put(Parcel(pinned, "", payload))
        return True

    def _forget_relayed(self) -> None:
        if len(self._relayed) > GENERATION:
            self._relayed = {key: pin for key, pin in self._relayed.items() if pin.waiting}

    def park(self, bot: Bot, event: Event, received_ms: int, route: Route | None = None, *, copy: bool = False) -> str:
        """The same, not knowing where the conversation was: who moves parked events on finds it by its affinity."""
        place = event.conv + route.mark if route is not None else event.conv
        if self._pins.get(f"{bot.key}|{place}") is None:
            parking = route.parking if route is not None else ""
            self._pins.pin(bot.key, place, parking or PARKING).fresh = False
        return self.dispatch(bot, event, received_ms, route, copy=copy)

    def _pin(self, bot: str, place: str, route: Route | None) -> Pin | None:
        lane = self._choice.choose(bot, route)
        return None if lane is None else self._pins.pin(bot, place, lane)

    def _put(self, parcel: Parcel, route: Route | None, envelope: Envelope) -> None:
        if parcel.pin.lane in self._sockets.workers and not self._lately.add(parcel.mark):
            self.counters["duplicate"] += 1
            self._tracer.refused(parcel.payload, "duplicate")
        else:
            self._give(parcel, route, envelope)

    def _give(self, parcel: Parcel, route: Route | None, envelope: Envelope | None = None) -> None:
        """To the socket worker that the conversation is with, or to its lane."""
        pin = parcel.pin
        if pin.lane in self._sockets.workers and not self._sockets.hand(pin.lane, parcel, envelope):
            # It takes no more: the conversation goes on elsewhere, perhaps before this worker has answered all of it.
            pin = self._pins.pin(pin.bot, pin.conv, self._choice.without_sockets(route))
            parcel = Parcel(pin, parcel.mark, parcel.payload)
        if pin.lane not in self._sockets.workers:
            self._ingest.put(parcel)


class RecentMarks:
    """Duplicate marks of events that went by socket: Redis does not see those. In two generations."""

    def __init__(self) -> None:
        self._young: set[str] = set()
        self._old: set[str] = set()

    def add(self, mark: str) -> bool:
        """Remember it; False: it was here already."""
        if mark in self._young or mark in self._old:
            return False
        self._young.add(mark)
        if len(self._young) >= MARKS:
            self._young, self._old = set(), self._young
        return True


def duplicate_mark(bot: str, event: Event) -> str:
    """16 hexadecimal digits that are the same when the platform sends the same event again.

    A message is known by its conversation, message_id and second (ids are 32 bits wide and come again); anything else
    by its whole body, whatever the order of its keys.
    """
    if event.message_id and event.time and event.post_type in _SAID:
        where = event.group_id or event.user_id
        text = f"{bot}|{event.post_type}|{event.detail_type}|{where}|{event.message_id}|{event.time}"
        return blake2b(text.encode(), digest_size=8).hexdigest()
    try:
        body = msgspec.json.encode(msgspec.json.decode(event.raw), order="sorted")
    except RecursionError:  # nested too deep to be put in order
        body = event.raw
    return blake2b(b"%b|%b" % (bot.encode(), body), digest_size=8).hexdigest()
