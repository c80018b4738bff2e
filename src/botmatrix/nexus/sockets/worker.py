"""One socket worker: its links, what waits to be written to it, and what it has not answered."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from botmatrix.clock import Clock
from botmatrix.nexus.pins import Pin
from botmatrix.nexus.spool import Parcel
from botmatrix.routing.balance import Load

if TYPE_CHECKING:
    from botmatrix.nexus.sockets.link import WorkerLink
    from botmatrix.nexus.sockets.request import Kind

SILENT_SECONDS: Final = 10.0
"""An event that was not answered after this is taken for one that needs no answer."""


class Open:
    """An event that was written and may still be answered. `until`: monotonic; the other times are unix seconds."""

    __slots__ = ("event_id", "pin", "received", "until", "written")

    def __init__(self, event_id: str, pin: Pin, received: float, written: float, until: float) -> None:
        self.event_id, self.pin, self.received, self.written = event_id, pin, received, written
        self.until = until


Report = Callable[[str, Open, str], None]
"""Told the worker's id, an event that is over there, and how: `answered`, `silent`, `lost_on_close`."""


class SocketWorker:
    """A worker behind WebSockets: an application has one link for each bot, an old worker one for all.

    Counters: `handed`, `answered`, `silent`, `lost_on_close`; each handed event ends as one of the other three.
    """

    def __init__(self, worker_id: str, kind: Kind, pool: str, now: float, report: Report) -> None:
        self._report = report
        self.id, self.kind, self.pool = worker_id, kind, pool
        self.load = Load(now)
        self.links: dict[str, WorkerLink] = {}  # by bot; an old worker's is under ""
        self.asking: set[WorkerLink] = set()  # halves that hear no events
        self.capabilities: list[dict[str, Any]] = []
        self.since = now
        self.counters: Counter[str] = Counter()
        self._open: dict[tuple[str, str], deque[Open]] = {}
        self._ages: deque[tuple[tuple[str, str], Open]] = deque()

    def oldest(self, bot: str, conv: str) -> float:
        """Since when (unix seconds) its oldest unanswered event of a conversation is there; infinite: there is none."""
        queue = self._open.get((bot, conv))
        return queue[0].written if queue else math.inf

    def link_for(self, bot: str) -> WorkerLink | None:
        """The link that carries this bot's events."""
        return self.links.get(bot) or self.links.get("")

    @property
    def waiting(self) -> int:
        """Events that are not written yet."""
        return sum(len(link.outbox) for link in self.links.values())

    def written(self, event_id: str, parcel: Parcel, clock: Clock, received: float) -> None:
        """The event is on the wire: it is never handed to anyone else."""
        self.counters["handed"] += 1
        key = (parcel.pin.bot, parcel.pin.conv.partition("\t")[0])
        one = Open(event_id, parcel.pin, received, clock.now(), clock.monotonic() + SILENT_SECONDS)
        self._open.setdefault(key, deque()).append(one)
        self._ages.append((key, one))

    def answered(self, bot: str, conv: str, now: float) -> str:
        """The worker did something in this conversation: the oldest event there is answered. Its id; `""`: none was."""
        queue = self._open.get((bot, conv))
        if not queue:
            return ""
        one = self._close((bot, conv), queue)
        one.pin.waiting -= 1
        self.counters["answered"] += 1
        self.load.settled(1, 0, max(0.0001, now - one.received), now)
        self._report(self.id, one, "answered")
        return one.event_id

    def expire(self, now: float) -> None:
        """What is open for too long needs no answer. `now`: monotonic."""
        ages = self._ages
        while ages and ages[0][1].until <= now:
            key, one = ages.popleft()
            queue = self._open.get(key)
            if queue and queue[0] is one:
                self._give_up(key, queue, "silent")

    def lost(self, bot: str) -> None:
        """A link ended (`""`: that of all bots): what was written to it and not answered is lost."""
        for key in [key for key in self._open if bot in ("", key[0])]:
            queue = self._open[key]
            while queue:
                self._give_up(key, queue, "lost_on_close")

    def begin(self, pin: Pin, now: float) -> None:
        """An event of this conversation was given to the worker: it stays there until that is over."""
        pin.waiting += 1
        self.load.sent(1, now)

    def end(self, pin: Pin) -> None:
        """An event is over, or goes to somebody else."""
        pin.waiting -= 1
        self.load.in_flight = max(0, self.load.in_flight - 1)

    def _give_up(self, key: tuple[str, str], queue: deque[Open], how: str) -> None:
        one = self._close(key, queue)
        self.end(one.pin)
        self.counters[how] += 1
        self._report(self.id, one, how)

    def _close(self, key: tuple[str, str], queue: deque[Open]) -> Open:
        one = queue.popleft()
        if not queue:
            del self._open[key]
        return one
