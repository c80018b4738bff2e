"""One nexus: what it is made of, how it starts, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from botmatrix.bus.access import AccessBox
from botmatrix.bus.binding import BindBox
from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.core import CoreBox
from botmatrix.bus.follower import Follower
from botmatrix.bus.groups import GroupsBox
from botmatrix.bus.handshakes import HandshakeBox
from botmatrix.bus.hot import Hot
from botmatrix.bus.keys import Keys
from botmatrix.bus.leases import LeaseThread
from botmatrix.bus.plugins import PluginsBox
from botmatrix.bus.presence import Presence
from botmatrix.bus.rules import RulesMirror
from botmatrix.bus.signals import Signals
from botmatrix.bus.trace import TraceLog
from botmatrix.clock import SystemClock
from botmatrix.config import Current, Settings
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus import handover
from botmatrix.nexus.access import Gatekeeper
from botmatrix.nexus.actions import Actions
from botmatrix.nexus.core import Core, Means
from botmatrix.nexus.dispatcher import Dispatcher
from botmatrix.nexus.gateway import Gateway
from botmatrix.nexus.groups import Groups
from botmatrix.nexus.hub import Bot, Hub
from botmatrix.nexus.ingest import Ingest
from botmatrix.nexus.live import Live
from botmatrix.nexus.media import hub_address
from botmatrix.nexus.parking import Parking
from botmatrix.nexus.pins import Pins
from botmatrix.nexus.plugin_verbs import PluginVerbs
from botmatrix.nexus.reaper import Reaper
from botmatrix.nexus.refusals import RefusalNews
from botmatrix.nexus.registry import Registry
from botmatrix.nexus.router import Router
from botmatrix.nexus.rules import Rules
from botmatrix.nexus.sockets.choice import Choice
from botmatrix.nexus.sockets.part import SocketPart
from botmatrix.nexus.sockets.reports import Reports
from botmatrix.nexus.spool import Spool
from botmatrix.nexus.tracer import Tracer
from botmatrix.nexus.workers import Workers
from botmatrix.onebot.event import Event
from botmatrix.vital import must_not_end

if TYPE_CHECKING:
    from botmatrix.nexus.skills.part import SkillPart

log = structlog.get_logger("nexus")
ANSWER_GRACE = 2.0
FLUSH_GRACE = 3.0


class Nexus:
    """The parts of a nexus, wired. Implements `HubObserver`."""

    def __init__(self, settings: Settings, *, lease_ttl: float = 10.0, current: Current | None = None) -> None:
        self.settings = settings
        self.current = current or Current(settings)
        self.inc = f"{settings.nexus_id}.{secrets.token_hex(4)}"
        self._keys = keys = Keys()
        url, clock = str(settings.redis_url), SystemClock()
        self._state = Client(url, name=f"botmatrix-nexus-{self.inc}")
        self._signals = Signals(url, name=f"botmatrix-signals-{self.inc}")
        self.lease = LeaseThread(url, keys, self.inc, ttl=lease_ttl, every=lease_ttl / 5)
        self.pins = Pins()
        self.hub = Hub(self, clock)
        self.workers = Workers(Client(url, name=f"botmatrix-roster-{self.inc}"), keys, self.pins, clock)
        ingest = Client(url, name=f"botmatrix-ingest-{self.inc}")
        spool = Spool(settings.home.spool / f"{self.inc}.spool")
        self.ingest = Ingest(ingest, keys, self.inc, spool, self.pins, self.workers)
        self.ingest.on_pressure = lambda full: self._press("spool", full)
        trace_log = TraceLog(Client(url, name=f"botmatrix-trace-{self.inc}"), keys)
        self.tracer = tracer = Tracer(trace_log, keys, self.inc, clock)
        self.ingest.on_refused = tracer.refused
        self.hot = Hot(self._state, keys)
        self.live = Live(self._state, keys)
        self.sockets = SocketPart(settings, self.hub, keys, self.inc, clock)
        choice = Choice(self.workers, self.sockets.workers, self.sockets.far, self.sockets.relay_lane, clock)
        self.workers.beyond = choice
        self.dispatcher = dispatcher = Dispatcher(
            *(keys, self.inc, self.pins, choice, self.sockets.workers, self.ingest, self.live), tracer
        )
        box = CoreBox(Client(url, name=f"botmatrix-core-{self.inc}"), keys)
        self._presence = Presence(url, keys, name=f"botmatrix-nexus-presence-{self.inc}")
        plugins = PluginVerbs(PluginsBox(self._state, keys), self._presence)
        means = Means(box, BindBox(self._state, keys), plugins)
        self.core = Core(means, settings.home, settings.commanders, self.counters, clock)
        self.current.watch(lambda changed: self.core.plugin.admit(changed.commanders))
        self.current.watch(self.sockets.take)
        self.follower = Follower(self.current, keys, self.inc)
        self.rules = Rules(RulesMirror(Client(url, name=f"botmatrix-rules-{self.inc}"), keys), settings.home)
        groups = GroupsBox(Client(url, name=f"botmatrix-groups-{self.inc}"), keys)
        self.groups = Groups(groups, settings.home, self.hub, clock)
        self.router = Router(
            *(dispatcher, self.ingest, clock),
            core=self.core.plugin,
            groups=self.groups,
            rules=self.rules,
            tracer=tracer,
            sockets=self.sockets.workers,
        )
        self.sockets.workers.on_unwritten = self.router.again
        self.sockets.workers.is_taken = lambda name: name in self.workers.lanes
        self.sockets.on_relayed = self.router.relayed
        reports = Reports(tracer)
        self.sockets.workers.report, self.sockets.asker.on_end = reports.event_over, reports.action_over
        self.sockets.on_change(self.workers.look_soon)
        self.sockets.workers.on_gone = self.pins.free
        self.router.on_pressure = lambda full: self._press("bots to be registered", full)
        finish = Client(url, name=f"botmatrix-finish-{self.inc}")
        self.actions = Actions(url, finish, keys, self.inc, self.hub, clock, tracer)
        self.sockets.asker.turns.pace = self.actions.pacer.pace
        self.actions.address = hub_address(settings.gateway_host, settings.ws_port)
        self.hot.follow(self._adjust)
        self.registry = Registry(
            Client(url, name=f"botmatrix-registry-{self.inc}"), keys, self.inc, self.hub, self.pins
        )
        self.registry.on_claimed = self._claimed
        self.registry.counters = self.counters
        self.refusals = RefusalNews(self.hub.refusals, HandshakeBox(self._state, keys), self.inc)
        self.reaper = Reaper(self._state, keys, self.inc)
        self.access = Gatekeeper(
            AccessBox(self._state, keys), settings.home, self.hub, lambda: str(self.current.running.bot_token), clock
        )
        self.parking = Parking(self._state, keys, self.inc, self.workers, self.rules)
        self.parking.on_buried = tracer.refused
        self.gateway = Gateway(
            self.hub,
            host=settings.gateway_host,
            port=settings.ws_port,
            tokens=self.access,
            max_frame=settings.max_frame,
            clock=clock,
            sockets=self.sockets.workers,
            worker_opens=self.sockets.opens,
            desk=self.sockets.desk(self.access, lambda *refused: self.gateway.note(*refused)),
        )
        self.skills = self._skill_part() if settings.enable_skill else None
        self._tasks: list[asyncio.Task[None]] = []
        self._handed_over: list[Path] = []

    # ---------------------------------------------------------------- the hub's observer

    def on_event(self, bot: Bot, event: Event) -> None:
        """Every event of a bot but meta events."""
        self.router.handle(bot, event)
        self.registry.heard(bot)

    def on_meta(self, bot: Bot, event: Event) -> None:
        """Heartbeats go to every application of their bot, never to streams."""
        self.sockets.on_meta(bot, event)

    def on_online(self, bot: Bot, link_id: str) -> None:
        """A bot's newest link is here."""
        self.registry.online(bot, link_id)
        self.sockets.bot_came(bot)
        self.groups.bot_changed(bot)

    def on_offline(self, bot: Bot) -> None:
        """Its last link ended: it is claimed again when it comes back, for it may have been elsewhere."""
        bot.epoch = 0
        self.registry.changed(bot)
        self.sockets.bot_went(bot)
        self.groups.bot_changed(bot)

    def on_change(self, bot: Bot) -> None:
        """State, nickname or groups."""
        self.registry.changed(bot)
        self.groups.bot_changed(bot)

    # ---------------------------------------------------------------- life

    async def start(self) -> None:
        """Bring the parts up; returns with the gateway open. Redis may be away: then events wait in the spool.

        Raises `EngineUnavailable` when the port can't be had.
        """
        self._adopt()
        await self.core.prepare()
        await self.groups.prepare()
        self.access.restore()
        await self._begin_lease()
        self._subscribe()
        with contextlib.suppress(EngineUnavailable, ReplyError):
            await self.hot.look()
        await self.rules.begin()
        self.ingest.start()
        for name, work in {
            **{"roster": self.workers.run(), "parking": self.parking.run(), "reaper": self.reaper.run()},
            **{"claims": self.registry.run_claims(), "publish": self.registry.run_publish()},
            **{"actions": self.actions.run_read(), "waiting": self.actions.run_waiting()},
            **{"access": self.access.run(), "refusals": self.refusals.run()},
            **{"pacer": self.actions.pacer.run()},
            **{"finish": self.actions.endings.run(), "live": self.live.run(), "rules": self.rules.run()},
            **{"hot": self.hot.run(), "groups": self.groups.run(), "group policies": self.groups.state.run()},
            **{"trace": self.tracer.run(), "settings": self.follower.run()},
            **self.core.work(),
            **self.sockets.work(),
            **(self.skills.work() if self.skills else {}),
        }.items():
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(must_not_end)
            self._tasks.append(task)
        with contextlib.suppress(EngineUnavailable, ReplyError):
            await self.workers.look()
            await self.access.look()
        await self.gateway.start()
        self.registry.facts |= {
            **{"started": f"{time.time():.3f}", "port": str(self.gateway.port), "nexus_id": self.settings.nexus_id},
            "enable_skill": str(self.settings.enable_skill).lower(),
        }
        with contextlib.suppress(EngineUnavailable):
            await self.registry.announce()
        log.info("the gateway is open", host=self.settings.gateway_host, port=self.gateway.port, nexus=self.inc)

    async def stop(self) -> None:
        """End in order: no new actions, answers in, links closed with 1012, events flushed, then the lease."""
        for task in self._tasks:
            task.remove_done_callback(must_not_end)
        await self.actions.stop_reading()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.actions.answered(), ANSWER_GRACE)
        await self.gateway.stop()
        await self.sockets.hang_up()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ingest.drained(), FLUSH_GRACE)
        with contextlib.suppress(EngineUnavailable, TimeoutError):
            await asyncio.wait_for(self.registry.farewell(), FLUSH_GRACE)
        with contextlib.suppress(EngineUnavailable, ReplyError, TimeoutError):
            await asyncio.wait_for(self.actions.give_back(), FLUSH_GRACE)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.actions.endings.flush(), FLUSH_GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.router.park_unclaimed()
        unconfirmed = await self.ingest.stop()
        if unconfirmed.events:
            handover.leave(self.settings.home.spool, self.inc, unconfirmed)
        self._remove_handed_over()
        await asyncio.to_thread(self.lease.stop)
        await self.sockets.close()
        await self._signals.close()
        if self.skills:
            await self.skills.close()
        state = (self._state, self.core, self.groups, self.rules)
        for part in (*state, self.workers, self.registry, self.actions, self.tracer, self._presence):
            await part.close()

    def counters(self) -> Counter[str]:
        """Everything that this nexus counted since it started."""
        total = Counter(self.hub.counters)
        for part in (
            self.router.counters,
            self.dispatcher.counters,
            self.sockets.counters,
            self.rules.counters,
            self.parking.counters,
            self.ingest.counters,
            self.actions.counters,
            self.actions.pacer.counters,
            self.reaper.counters,
            self.live.counters,
            self.core.counters,
            self.tracer.counters,
        ):
            total.update(part)
        if self.skills:
            total.update(self.skills.counters)
        total["waiting"] = self.ingest.waiting + self.router.unclaimed + self.sockets.workers.waiting
        total["paced_waiting"] = self.actions.pacer.waiting
        total["conversations"] = len(self.pins)
        return total

    # ---------------------------------------------------------------- inside

    def _skill_part(self) -> SkillPart:
        """The skill system. SQLAlchemy costs half a second and 20 MiB: only a nexus that has it on pays that."""
        from botmatrix.nexus.skills.part import SkillPart

        part = SkillPart(self.settings, self._keys, self.inc)
        self.sockets.workers.on_skill_result = part.on_socket_result
        self.router.triggers = part.triggers
        self.current.watch(part.triggers.take)
        part.tasks.watch.is_ours = self.hub.bots.__contains__
        part.tasks.watch.on_change = self._let_hear
        return part

    def _let_hear(self, hear: Callable[[Bot, Event], None] | None) -> None:
        self.router.hear = hear

    def _adopt(self) -> None:
        folder, nexus_id = self.settings.home.spool, self.settings.nexus_id
        handover.sweep(folder, nexus_id)
        unconfirmed = handover.take(folder, nexus_id, self.pins)
        if unconfirmed.events:
            self.ingest.adopt(unconfirmed)
            self._handed_over = handover.left(folder, nexus_id)
            self._tasks.append(asyncio.create_task(self._forget_handover(), name="handover"))

    async def _forget_handover(self) -> None:
        await self.ingest.drained()
        self._remove_handed_over()

    def _remove_handed_over(self) -> None:
        """What they held is delivered, or in a newer file; a file that is read twice is delivered twice."""
        for path in self._handed_over:
            path.unlink(missing_ok=True)

    async def _begin_lease(self) -> None:
        try:
            await self.registry.register()
        except (EngineUnavailable, ReplyError) as error:
            log.warning("Redis takes nothing: events wait in the spool until it does", error=str(error))
        self.lease.start()

    def _subscribe(self) -> None:
        k = self._keys
        self._signals.subscribe(k.settled(self.inc), self.workers.on_settled)
        self._signals.subscribe(k.superseded(self.inc), self.registry.on_superseded)
        self._signals.subscribe(k.presence_changed, self.workers.on_presence)
        self._signals.subscribe(k.rules_changed, self.rules.on_changed)
        self._signals.subscribe(k.core_changed, self.core.state.nudge)
        self._signals.subscribe(k.bind_changed, self.core.binder.nudge)
        self._signals.subscribe(k.access_changed, self.access.nudge)
        self._signals.subscribe(k.groups_changed, self.groups.state.nudge)
        self._signals.subscribe(k.hot_changed, self.hot.nudge)
        if self.skills:
            self.skills.subscribe()

    def _adjust(self, hot: Hot) -> None:
        self.ingest.keep_marks(hot.ttls.idempotency_ttl_sec)
        self.router.limits.adjust(hot.limits)
        self.actions.pacer.pace.adjust(hot.limits)

    def _claimed(self, bot: Bot) -> None:
        self.actions.pacer.claimed(bot.key)
        self.router.claimed(bot)
        self.reaper.soon()

    def _press(self, reason: str, full: bool) -> None:
        if full:
            log.warning("bots are not read any more until Redis takes events again", full=reason)
            self.hub.pause_reading(reason)
        else:
            self.hub.resume_reading(reason)


async def run(current: Current) -> bool:
    """Run a nexus until SIGTERM or SIGINT (False), or until it is asked to start again (True)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    nexus = Nexus(current.running, current=current)
    nexus.follower.on_restart = stop.set
    await nexus.start()
    await stop.wait()
    log.info("the nexus stops")
    await nexus.stop()
    return nexus.follower.restarting


__all__ = ["Nexus", "run"]
