"""What happens to an event, read from top to bottom."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from botmatrix.bus.envelope import Envelope, decode_envelope
from botmatrix.clock import Clock
from botmatrix.errors import BadFrame
from botmatrix.nexus.core_plugin import CorePlugin
from botmatrix.nexus.dispatcher import Dispatcher
from botmatrix.nexus.groups import Groups
from botmatrix.nexus.hub import Bot
from botmatrix.nexus.ingest import Ingest
from botmatrix.nexus.limits import Limits
from botmatrix.nexus.rules import Rules
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.nexus.spool import Parcel
from botmatrix.nexus.tracer import Tracer
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session
from botmatrix.routing.rule import Fallback
from botmatrix.routing.table import Route, copy_route

if TYPE_CHECKING:
    from botmatrix.nexus.skills.triggers import Triggers

log = structlog.get_logger("router")
MAX_UNCLAIMED = 20_000
"""Events that may wait for their bots to be registered, before bots are not read any more."""


class Router:
    """Takes events from the hub. Counters: `received`, `shed_notice`, `blocked`, `blocked_{reason}`, `copied`.

    received + copied = shed + blocked + what the dispatcher got.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        ingest: Ingest,
        clock: Clock,
        *,
        core: CorePlugin,
        groups: Groups,
        rules: Rules,
        tracer: Tracer,
        sockets: SocketWorkers,
    ) -> None:
        self._sockets = sockets
        self._core, self._groups, self._rules, self._tracer = core, groups, rules, tracer
        self.limits = Limits()
        self.triggers: Triggers | None = None
        self.hear: Callable[[Bot, Event], None] | None = None
        """Told of every event that goes on, while there is a task that events set off."""
        self._dispatcher, self._ingest, self._clock = dispatcher, ingest, clock
        self._unclaimed: dict[str, deque[tuple[Bot, Event, int]]] = {}
        self.unclaimed = 0
        self.on_pressure: Callable[[bool], None] = lambda _full: None
        self.counters: Counter[str] = Counter()

    def handle(self, bot: Bot, event: Event) -> None:
        """Judge, route and send one event of a bot. Never blocks and never raises."""
        self.counters["received"] += 1
        received_ms = int(self._clock.now() * 1000)
        if event.post_type == "notice" and self._ingest.crowded:
            self.counters["shed_notice"] += 1
        elif bot.epoch == 0 and not self._dispatcher.reaches_socket(bot, event, self._route(bot, event)):
            self._wait(bot, event, received_ms)
        else:
            self._send(bot, event, received_ms)

    def claimed(self, bot: Bot) -> None:
        """The bot is ours and its conversations are known: what it said meanwhile goes on, in order."""
        waiting = self._unclaimed.pop(bot.key, ())
        for _, event, received_ms in waiting:
            self._send(bot, event, received_ms)
        self._count_unclaimed(-len(waiting))

    def park_unclaimed(self) -> None:
        """The nexus ends before these bots could be registered: what passes of their events is parked, in order."""
        for waiting in self._unclaimed.values():
            for bot, event, received_ms in waiting:
                self._send(bot, event, received_ms, park=True)
        self._unclaimed.clear()
        self._count_unclaimed(-self.unclaimed)

    def _send(self, bot: Bot, event: Event, received_ms: int, *, park: bool = False) -> None:
        verdict = self._core.judge(bot, event)
        if verdict.blocked:
            self._stopped(bot, event, received_ms, verdict.reason)
            return
        if self.limits.are_on:
            reason, detail = self.limits.stop(bot, event, received_ms)
            if reason:
                self._stopped(bot, event, received_ms, reason, detail)
                return
        if self._groups.are_governed and (other := self._groups.stop(bot, event, received_ms)):
            self._stopped(bot, event, received_ms, "other_bot", other)
            return
        self._pass_on(bot, event, received_ms, park=park)

    def _pass_on(self, bot: Bot, event: Event, received_ms: int, *, park: bool) -> None:
        """Nobody objects to the event: by its rule, if it has one."""
        route = self._way(bot, event)
        if self.hear is not None and not (route is not None and route.blocked):
            self.hear(bot, event)
        send = self._dispatcher.park if park else self._dispatcher.dispatch
        if self._sockets.copying and self._is_copied(bot, event, received_ms, route):
            return
        if route is None:
            send(bot, event, received_ms)
        elif route.blocked:
            self._stopped(bot, event, received_ms, "rule", route.key)
        elif route.copies:
            self._send_copies(bot, event, received_ms, route, send)
        elif not send(bot, event, received_ms, route):
            self._stopped(bot, event, received_ms, "target_away", route.key)

    def again(self, parcels: list[Parcel]) -> None:
        """Events that a socket worker took and never got, in order: as their rules say now, to somebody else."""
        for parcel in parcels:
            envelope = decode_envelope(parcel.payload)
            event = _event(envelope)
            route = self._rules.table.match(envelope.bot.partition(":")[2], event.group_id, event.user_id)
            if route is not None and route.copies:
                route = route.to(parcel.pin.target)
            is_beside = parcel.pin.target in self._sockets.copying and not (
                route and parcel.pin.target in route.targets
            )
            if is_beside or (route is not None and route.blocked) or not self._dispatcher.again(parcel, route):
                self.counters["blocked"] += 1
                self.counters["blocked_target_away"] += 1
                self._tracer.refused(parcel.payload, "target_away")

    def relayed(self, envelope: Envelope, payload: bytes) -> None:
        """An event for a socket worker of this nexus, from a bot that is elsewhere, or from a parking place."""
        event = _event(envelope)
        route = self._rules.table.match(envelope.bot.partition(":")[2], event.group_id, event.user_id)
        if envelope.to:
            is_target = route is not None and envelope.to in route.targets
            route = route.to(envelope.to) if route and is_target else copy_route(event.self_id, envelope.to)
        if not self._dispatcher.relayed(envelope, payload, route):
            self.counters["blocked"] += 1
            self.counters["blocked_target_away"] += 1
            self._tracer.refused(payload, "target_away")

    def _route(self, bot: Bot, event: Event) -> Route | None:
        return self._rules.table.match(bot.self_id, event.group_id, event.user_id)

    def _way(self, bot: Bot, event: Event) -> Route | None:
        """What its rule says, and where its words mean a skill, what that says."""
        route = self._route(bot, event)
        if self.triggers is None or not self.triggers.are_there or event.post_type != "message":
            return route
        return self.triggers.route(bot, event, route)

    def _send_copies(self, bot: Bot, event: Event, received_ms: int, route: Route, send: Callable[..., str]) -> None:
        """To each target that is there; with `balance` somebody else gets it when none is, else each miss counts."""
        sent = [copy for copy in route.copies if send(bot, event, received_ms, copy, copy=True)]
        if route.fallback is Fallback.BALANCE:
            if not sent:
                send(bot, event, received_ms, route)
            self.counters["copied"] += max(0, len(sent) - 1)
        else:
            self.counters["copied"] += len(route.copies) - 1
            for _ in range(len(route.copies) - len(sent)):
                self._stopped(bot, event, received_ms, "target_away", route.key)

    def _is_copied(self, bot: Bot, event: Event, received_ms: int, route: Route | None) -> bool:
        """Applications that want a copy of everything get one; whether that is all, as nobody else is to be chosen."""
        if route is not None and route.blocked:
            return False
        sent = self._dispatcher.beside(bot, event, received_ms, route)
        is_all = bool(sent) and route is None and not self._sockets.applications_of(bot.key)
        self.counters["copied"] += sent - is_all
        return is_all

    def _stopped(self, bot: Bot, event: Event, received_ms: int, reason: str, detail: str = "") -> None:
        """The event ends here: counted and traced with its reason; `detail` says what exactly met it."""
        self.counters["blocked"] += 1
        self.counters["blocked_" + reason] += 1
        self._tracer.stopped(bot, event, received_ms, reason, detail)

    def _wait(self, bot: Bot, event: Event, received_ms: int) -> None:
        self._unclaimed.setdefault(bot.key, deque()).append((bot, event, received_ms))
        self._count_unclaimed(1)

    def _count_unclaimed(self, more: int) -> None:
        was_full = self.unclaimed >= MAX_UNCLAIMED
        self.unclaimed += more
        if (full := self.unclaimed >= MAX_UNCLAIMED) != was_full:
            self.on_pressure(full)


def _event(envelope: Envelope) -> Event:
    event = Session("", "").receive(bytes(envelope.event))
    if not isinstance(event, Event):
        raise BadFrame("not_onebot")
    return event
