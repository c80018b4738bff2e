"""One worker: the parts put together, from taking the lease to the orderly stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis
import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.lanes import Lane, Lanes
from botmatrix.bus.leases import LeaseThread
from botmatrix.bus.presence import Presence
from botmatrix.bus.trace import TraceLog
from botmatrix.bus.trace_parts import Acted
from botmatrix.clock import SystemClock
from botmatrix.errors import EngineUnavailable, Superseded
from botmatrix.worker.adoption import Adopter
from botmatrix.worker.consumer import Consumer
from botmatrix.worker.dialogues import Dialogues
from botmatrix.worker.handler import Handler
from botmatrix.worker.heartbeat import Heartbeat
from botmatrix.worker.intake import Intake
from botmatrix.worker.loans import Loans
from botmatrix.worker.options import Options
from botmatrix.worker.ownership import OwnLane
from botmatrix.worker.patience import patiently
from botmatrix.worker.queues import SerialQueues
from botmatrix.worker.report import Report
from botmatrix.worker.runner import Runner
from botmatrix.worker.skills import Calls, Declining
from botmatrix.worker.slots import Slots
from botmatrix.worker.tracing import Tracing
from botmatrix.worker.watchdog import Watchdog

log = structlog.get_logger("worker")

PULSE = 0.25
FIRST_CONTACT = 10.0


class Worker:
    """Reads its lane and those of the dead, and has `handler` handle what they hold. `inc` names this start of it.

    `calls` answers skill calls; without it they are declined.
    """

    def __init__(
        self,
        url: str,
        inc: str,
        options: Options,
        handler: Handler,
        report: Report,
        watchdog: Watchdog,
        calls: Calls | None = None,
    ) -> None:
        self._url, self._inc, self._options = url, inc, options
        self._keys = Keys(options.prefix)
        self._handler, self._report, self._watchdog = handler, report, watchdog
        self._lanes = Lanes(url, self._keys, inc)
        self._presence = Presence(url, self._keys, name=f"botmatrix-presence-{inc}")
        queues = self._queues = SerialQueues()
        self._trace_log = TraceLog(Client(url, name=f"botmatrix-trace-{inc}"), self._keys)
        tracing = Tracing(options.worker_id, self._trace_log)
        declining = Declining(options.worker_id, SystemClock())
        runner = Runner(handler, calls or declining, self._lanes, report.tally, tracing)
        self._slots = Slots(queues, runner, options.concurrency)
        self.dialogues = Dialogues(runner.running, queues, self._slots, self._lanes, tracing)
        self.loans = Loans(runner.running, self._slots)
        self.set_apart = runner.set_apart
        self._intake = Intake(handler, queues, self._slots, report.tally, tracing)
        self._consumer: Consumer | None = None
        self._heartbeat = Heartbeat(
            *(options.worker_id, self._presence, report.drain, report.presence, report.plugin_list),
            every=options.announce,
        )

    def report_action(self, make: Callable[[], Acted], size: int) -> None:
        """An action has ended that this worker asked for itself; `size`: bytes that `make` holds on to."""
        self._trace_log.put(make, size)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end in order.

        Raises `Superseded` when a newer start of this id has taken the lane, `EngineUnavailable` when Redis can't be
        reached at the start; later it is waited for.
        """
        await self._reach_redis()
        self._watchdog.start()
        try:
            async with asyncio.TaskGroup() as group:
                consumer = Consumer(
                    self._lanes, self._intake, self._report.tally, group, concurrency=self._options.concurrency
                )
                self._consumer = consumer
                lease = await self._take_lease(consumer)
                try:
                    superseded = await self._work(group, consumer, stop)
                finally:
                    await asyncio.to_thread(lease.stop)
            if superseded:
                raise Superseded(f"a newer start of worker {self._options.worker_id} has taken over")
            await self._leave()
        finally:
            self._watchdog.stop()
            await self._trace_log.close()
            await self._presence.close()
            await self._lanes.close()

    async def catch_up(self) -> None:
        """Until every event that was handled by now is settled: what it sent has left before what is sent next."""
        if self._consumer is not None:
            await self._consumer.catch_up()

    @property
    def idle(self) -> bool:
        """Whether no handler runs or could start, and all that ended is settled; who waits for a person is left out."""
        is_caught_up = self._consumer is None or self._consumer.is_caught_up
        return is_caught_up and not self._queues.running and not self._queues.startable()

    async def tell_plugins(self) -> None:
        """Say now which plugins it has, and their skills. Raises `EngineUnavailable`, `ReplyError`."""
        self._heartbeat.hurry()
        await self._presence.list_plugins(self._options.worker_id, self._report.plugin_list())

    async def _reach_redis(self) -> None:
        try:
            async with asyncio.timeout(FIRST_CONTACT):
                await patiently(self._presence.ping, "start")
        except TimeoutError:
            raise EngineUnavailable("Redis", f"no answer within {FIRST_CONTACT:g} s", "Check redis_url") from None

    async def _work(self, group: asyncio.TaskGroup, consumer: Consumer, stop: asyncio.Event) -> bool:
        """Until the stop (False), or until superseded (True)."""
        options, drain = self._options, self._report.drain
        own = OwnLane(options.worker_id, self._lanes, self._presence, drain, probe=options.probe)
        adopter = Adopter(options.worker_id, self._lanes, drain, every=options.adopt_every)
        slots = group.create_task(self._slots.run(), name="slots")
        owning = group.create_task(own.run(consumer), name="own-lane")
        adopting = group.create_task(adopter.run(consumer), name="adopter")
        stopping = group.create_task(stop.wait(), name="stop")
        others = [
            group.create_task(self._pulse(), name="pulse"),
            group.create_task(self._trace_log.run(), name="trace"),
            group.create_task(self._heartbeat.run(own.joined), name="heartbeat"),
        ]
        await asyncio.wait([owning, stopping], return_when=asyncio.FIRST_COMPLETED)
        superseded, lanes = owning.done(), consumer.lanes()
        await _end(owning, adopting)
        await self._finish(slots, consumer)
        await _end(stopping, *others)
        await self._release(lanes)
        return superseded

    async def _take_lease(self, consumer: Consumer) -> LeaseThread:
        """The lease comes first: a lane whose owner has none is adopted."""
        loop, options = asyncio.get_running_loop(), self._options

        def on_lost(names: set[str]) -> None:
            loop.call_soon_threadsafe(consumer.lose, names)

        lease = LeaseThread(
            *(self._url, self._keys, self._inc),
            ttl=options.lease,
            every=options.renew,
            lanes=consumer.names,
            on_lost=on_lost,
        )

        async def renew() -> None:
            try:
                await asyncio.to_thread(lease.renew)
            except redis.RedisError as error:
                raise EngineUnavailable("Redis", str(error)) from error

        await patiently(renew, "lease")
        lease.start()
        return lease

    async def _pulse(self) -> None:
        while True:
            self._watchdog.beat()
            self._handler.expire(time.monotonic())
            await asyncio.sleep(PULSE)

    async def _finish(self, slots: asyncio.Task[None], consumer: Consumer) -> None:
        """Let handlers end and have them settled, each within the grace; what does not is delivered again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.grace):
                await self._slots.quiet()
        await _end(slots)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.grace):
                await consumer.settled()

    async def _release(self, lanes: list[Lane]) -> None:
        try:
            for lane in lanes:
                await self._lanes.release(lane)
        except (EngineUnavailable, ReplyError):
            log.warning("lanes could not be given back", consequence="they are adopted when the lease runs out")

    async def _leave(self) -> None:
        with suppress(EngineUnavailable):
            await self._presence.leave(self._options.worker_id)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
