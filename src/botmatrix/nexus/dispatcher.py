"""From a judged event to its worker: gives it an id, a duplicate mark and an envelope, and puts it on its lane."""

from __future__ import annotations

import itertools
import secrets
from hashlib import blake2b

import msgspec

from botmatrix.bus.envelope import Envelope, encode
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.nexus.hub import Bot
from botmatrix.nexus.ingest import Ingest
from botmatrix.nexus.live import Live
from botmatrix.nexus.pins import Pins
from botmatrix.nexus.spool import Parcel
from botmatrix.nexus.workers import Workers
from botmatrix.onebot.event import Event
from botmatrix.routing.table import Route


class EventIds:
    """Event ids: 24 hexadecimal digits, unique among all processes that ever ran, ascending in one of them."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """A new id."""
        return f"{self._prefix}{next(self._numbers):012x}"


class Dispatcher:
    """Sends events of this nexus's bots to stream workers."""

    def __init__(self, keys: Keys, inc: str, pins: Pins, workers: Workers, ingest: Ingest, live: Live) -> None:
        self._keys, self._inc, self._live = keys, inc, live
        self._pins, self._workers, self._ingest = pins, workers, ingest
        self._ids = EventIds()

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
        pin = self._pins.get(f"{bot.key}|{place}")
        if pin is None:
            lane = self._workers.choose(route)
            if lane is None:
                return ""
            pin = self._pins.pin(bot.key, place, lane)
        event_id = self._ids.next()
        envelope = Envelope(event_id, bot.key, conv, self._inc, bot.epoch, received_ms, msgspec.Raw(event.raw))
        payload = encode(envelope)
        mark = duplicate_mark(bot.key, event)
        if copy:
            mark = blake2b(f"{mark}{place}".encode(), digest_size=8).hexdigest()
        self._ingest.put(Parcel(pin, self._keys.mark(mark), payload))
        if self._live.listened:
            self._live.publish(payload)
        return event_id

    def park(self, bot: Bot, event: Event, received_ms: int, route: Route | None = None, *, copy: bool = False) -> str:
        """The same, not knowing where the conversation was: who moves parked events on finds it by its affinity."""
        place = event.conv + route.mark if route is not None else event.conv
        if self._pins.get(f"{bot.key}|{place}") is None:
            parking = route.parking if route is not None else ""
            self._pins.pin(bot.key, place, parking or PARKING).fresh = False
        return self.dispatch(bot, event, received_ms, route, copy=copy)


def duplicate_mark(bot: str, event: Event) -> str:
    """16 hexadecimal digits that are the same when the platform sends the same event again.

    A message is known by its conversation, message_id and second (ids are 32 bits wide and come again); anything else
    by its whole body, whatever the order of its keys.
    """
    if event.message_id and event.time:
        where = event.group_id or event.user_id
        text = f"{bot}|{event.post_type}|{event.detail_type}|{where}|{event.message_id}|{event.time}"
        return blake2b(text.encode(), digest_size=8).hexdigest()
    try:
        body = msgspec.json.encode(msgspec.json.decode(event.raw), order="sorted")
    except RecursionError:  # nested too deep to be put in order
        body = event.raw
    return blake2b(b"%b|%b" % (bot.encode(), body), digest_size=8).hexdigest()
