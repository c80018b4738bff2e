"""The tasks that handle events: a fixed number, so that an event costs no task of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from botmatrix.worker.job import Job
from botmatrix.worker.queues import SerialQueues
from botmatrix.worker.runner import Runner

PATIENCE = 0.02
"""Seconds after which a job that is apart is slow, so that another slot works in its place if one is needed."""
MOST_REPLACED = 32
"""For each slot, how many may work in the places of such jobs: all of them are in memory."""


class Slots:
    """`size` tasks that take jobs from the queues.

    A slot goes on with the next job as long as there is one, and wakes one idle slot when it leaves another behind: a
    burst of quick handlers is done by one slot in one go, a burst of slow ones by all of them. When there is none, and
    a job waits for nothing but plugins with processes of their own (`Runner.apart`), another slot works in its place:
    such a plugin that hangs holds nobody up.
    """

    def __init__(self, queues: SerialQueues, runner: Runner, size: int) -> None:
        self._queues, self._runner, self._size = queues, runner, size
        self._idle: list[asyncio.Future[None]] = []
        self._sleeping: dict[Job, asyncio.TimerHandle] = {}
        self._replaced: set[Job] = set()
        self._replacing: asyncio.TimerHandle | None = None
        self._quiet = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._surplus = 0

    async def run(self) -> None:
        """Handle jobs until cancelled; what was running then stays unsettled and is delivered again."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for _ in range(self._size):
                    self._start()
        finally:
            if self._replacing is not None:
                self._replacing.cancel()
            for job, timer in self._sleeping.items():
                timer.cancel()
                job.leave()

    def kick(self) -> None:
        """Wake one idle slot if a job may start."""
        if not self._queues.startable():
            return
        if not self._idle:
            self._replace()
            return
        waiter = self._idle.pop()
        if not waiter.done():
            waiter.set_result(None)

    @contextmanager
    def lent(self, job: Job) -> Iterator[None]:
        """For as long as the handler of this job waits for an answer, another slot works in its place."""
        started = time.monotonic()
        was_apart = self._end_apart(job)
        self._queues.pause(job)
        self._start()
        if not self._queues.running:
            self._quiet.set()
        try:
            yield
        finally:
            job.rested += time.monotonic() - started
            self._queues.resume(job)
            self._surplus += 1
            if was_apart:
                self._runner.apart[job] = time.monotonic()

    async def quiet(self) -> None:
        """Until no handler runs."""
        while self._queues.running:
            self._quiet.clear()
            await self._quiet.wait()

    async def _slot(self) -> None:
        queues, loop = self._queues, asyncio.get_running_loop()
        while True:
            if self._surplus:
                self._surplus -= 1
                self.kick()
                return
            job = queues.take()
            if job is None:
                waiter = loop.create_future()
                self._idle.append(waiter)
                await waiter
                continue
            self.kick()
            try:
                again = await self._runner.run(job)
            except asyncio.CancelledError:
                job.leave()
                raise
            finally:
                self._end_apart(job)
            if again is None:
                queues.done(job)
            else:
                queues.sleep(job)
                self._sleeping[job] = loop.call_later(again, self._wake, job)
            if not queues.running:
                self._quiet.set()

    def _replace(self) -> None:
        """Have another slot work in the place of the job that has been apart for longest, now or when it is slow."""
        oldest = next(iter(self._runner.apart.items()), None)
        if oldest is None or len(self._replaced) >= MOST_REPLACED * self._size:
            return
        job, since = oldest
        if (left := since + PATIENCE - time.monotonic()) > 0:
            if self._replacing is None:
                self._replacing = asyncio.get_running_loop().call_later(left, self._look_again)
            return
        del self._runner.apart[job]
        self._replaced.add(job)
        job.hold.park()
        self._start()

    def _look_again(self) -> None:
        self._replacing = None
        self.kick()

    def _end_apart(self, job: Job) -> bool:
        """Whether it was; its slot has its place again."""
        if job in self._replaced:
            self._replaced.remove(job)
            job.hold.unpark()
            self._surplus += 1
            return True
        return self._runner.apart.pop(job, None) is not None

    def _start(self) -> None:
        if self._group is not None:
            self._group.create_task(self._slot(), name="slot")

    def _wake(self, job: Job) -> None:
        del self._sleeping[job]
        if not self._queues.wake(job):
            job.leave()
        self.kick()
