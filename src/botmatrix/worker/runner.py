"""One delivery -> one outcome -> settled, or tried again."""

from __future__ import annotations

import asyncio
import time

import structlog

from botmatrix.bus.connection import WritesRefused
from botmatrix.bus.lanes import Lanes, Settlement
from botmatrix.skills.model import SkillCall
from botmatrix.worker.handler import Handler
from botmatrix.worker.job import Job
from botmatrix.worker.outcome import Dead, Done, Outcome, Retry
from botmatrix.worker.patience import patiently
from botmatrix.worker.skills import Calls
from botmatrix.worker.tally import Tally
from botmatrix.worker.tracing import Tracing

log = structlog.get_logger("worker.runner")

RETRY_LIMIT = 30.0
"""For how long (s) an event may hold up its serial key by asking to be tried again."""
SHORTEST_RETRY = 0.05
LONG = 0.1


class Runner:
    """Runs one job and sees to it that every road ends in a settlement or in another try."""

    def __init__(self, handler: Handler, calls: Calls, lanes: Lanes, tally: Tally, tracing: Tracing) -> None:
        self._handler, self._calls = handler, calls
        self._lanes, self._tally, self._tracing = lanes, tally, tracing
        self.running: dict[str, Job] = {}
        """By event id."""
        self.apart: dict[Job, float] = {}
        """Those that wait for nothing but plugins with processes of their own, and since when (monotonic s)."""

    def set_apart(self, event_id: str) -> None:
        """From now on the handling of this event only waits for plugins with processes of their own."""
        job = self.running.get(event_id)
        if job is not None and not job.alone:
            self.apart[job] = time.monotonic()

    async def run(self, job: Job) -> float | None:
        """Handle a job. None: it ended and will be settled; else the seconds after which to run it again.

        A job that runs alone is marked before it starts, so that only it is blamed if the worker dies, and has been
        settled when this returns, so that it isn't blamed for what comes after it.
        """
        if job.alone:
            await patiently(lambda: self._mark(job), "suspect")
        outcome = await (self._outcome(job) if job.call is None else self._called(job, job.call))
        if isinstance(outcome, Retry):
            delay = await self._delay(job, outcome)
            if delay is not None:
                return delay
            outcome = Dead(f"retried for {RETRY_LIMIT:.0f} s: {outcome.reason}")
            self._tracing.ran(job, outcome, time.time(), time.time())
        self._settle(job, outcome)
        if job.alone:
            await self._acquit(job)
        return None

    async def _called(self, job: Job, call: SkillCall) -> Outcome:
        self._tally.in_flight += 1
        if self._calls.is_apart(call) and not job.alone:
            self.apart[job] = time.monotonic()
        try:
            return Done(result=await self._calls.answer(call))
        finally:
            self._tally.in_flight -= 1

    async def _mark(self, job: Job) -> None:
        try:
            await self._lanes.suspect(job.hold.lane, job.delivery.entry_id)
        except WritesRefused as error:
            # A full Redis: only what is settled makes it emptier, so this must not wait for it.
            log.warning("an entry runs alone without its mark", lane=job.hold.lane.name, error=str(error))

    async def _acquit(self, job: Job) -> None:
        """It ran alone and we live: settled first, then cleared of suspicion, before anything else runs."""
        await job.hold.clean()
        await patiently(lambda: self._lanes.acquit(job.hold.lane, job.delivery.entry_id), "acquit")

    async def _outcome(self, job: Job) -> Outcome:
        envelope, started, rested, tally = job.envelope, time.time(), job.rested, self._tally
        tally.in_flight += 1
        self.running[envelope.id] = job
        try:
            outcome = await self._handler.handle(envelope, job.event)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            outcome = Dead("cancelled")
        except Exception as error:
            log.exception("handling an event failed", event_id=envelope.id, bot=envelope.bot)
            outcome = Dead(f"{type(error).__name__}: {error}"[:200])
        finally:
            tally.in_flight -= 1
            self.running.pop(envelope.id, None)
        now = time.time()
        self._tracing.ran(job, outcome, started, now)
        taken = now - started - (job.rested - rested)
        tally.handling.observe(taken, now)
        tally.waiting.observe(max(0.0, started - rested - envelope.t / 1000), now)
        if taken > LONG:
            await asyncio.sleep(0)  # it may have blocked the loop: let the timers run before the next job does
        return outcome

    async def _delay(self, job: Job, retry: Retry) -> float | None:
        """Seconds until the next try, the last of which comes at the limit; None when that was it.

        Time without Redis does not count: what a handler waits for then is not its own.
        """
        asked = time.monotonic()
        await patiently(lambda: self._lanes.alive(self._lanes.inc), "retry")
        now = time.monotonic()
        if job.give_up_at is None:
            job.give_up_at = now + RETRY_LIMIT
        elif asked >= job.give_up_at:
            return None
        else:
            job.give_up_at += now - asked
        self._tally.retried += 1
        return max(SHORTEST_RETRY, min(retry.after.total_seconds(), job.give_up_at - now))

    def _settle(self, job: Job, outcome: Done | Dead) -> None:
        envelope, delivery = job.envelope, job.delivery
        reason = outcome.reason if isinstance(outcome, Dead) else ""
        self._tally.handled += 1
        self._tally.dead += bool(reason)
        received = envelope.t + int(job.rested * 1000)  # waiting for a person is no slowness of this worker
        job.hold.settle(
            Settlement(
                *(delivery.entry_id, envelope.nexus, received, outcome.actions),
                dead=reason,
                payload=delivery.payload,
                result=outcome.result if isinstance(outcome, Done) else b"",
            )
        )
        for answer in job.answers.values():
            job.hold.parked -= 1
            job.hold.settle(Settlement(answer.delivery.entry_id, answer.envelope.nexus, int(time.time() * 1000)))
