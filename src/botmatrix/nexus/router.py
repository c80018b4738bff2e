"""What happens to an event, read from top to bottom."""

from __future__ import annotations

from collections import Counter, deque

import structlog

from botmatrix.clock import Clock
from botmatrix.nexus.dispatcher import Dispatcher
from botmatrix.nexus.hub import Bot
from botmatrix.nexus.ingest import Ingest
from botmatrix.onebot.event import Event

log = structlog.get_logger("router")


class Router:
    """Takes events from the hub. Counters: `received`, `shed_notice`."""

    def __init__(self, dispatcher: Dispatcher, ingest: Ingest, clock: Clock) -> None:
        self._dispatcher, self._ingest, self._clock = dispatcher, ingest, clock
        self._unclaimed: dict[str, deque[tuple[Event, int]]] = {}
        self.counters: Counter[str] = Counter()

    def handle(self, bot: Bot, event: Event) -> None:
        """Judge, route and send one event of a bot. Never blocks and never raises."""
        self.counters["received"] += 1
        received_ms = int(self._clock.now() * 1000)
        if event.post_type == "notice" and self._ingest.crowded:
            self.counters["shed_notice"] += 1
        elif bot.epoch == 0:
            self._unclaimed.setdefault(bot.key, deque()).append((event, received_ms))
        else:
            self._dispatcher.dispatch(bot, event, received_ms)

    def claimed(self, bot: Bot) -> None:
        """The bot is ours and its conversations are known: what it said meanwhile goes on, in order."""
        for event, received_ms in self._unclaimed.pop(bot.key, ()):
            self._dispatcher.dispatch(bot, event, received_ms)

    @property
    def unclaimed(self) -> int:
        """Events that wait for their bot to be registered."""
        return sum(len(events) for events in self._unclaimed.values())
