"""The tasks that handle events: a fixed number, so that an event costs no task of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from botmatrix.worker.job import Job
from botmatrix.worker.queues import SerialQueues
from botmatrix.worker.runner import Runner


class Slots:
    """`size` tasks that take jobs from the queues.

    A slot goes on with the next job as long as there is one, and wakes one idle slot when it leaves another behind: a
    burst of quick handlers is done by one slot in one go, a burst of slow ones by all of them.
    """

    def __init__(self, queues: SerialQueues, runner: Runner, size: int) -> None:
        self._queues, self._runner, self._size = queues, runner, size
        self._idle: list[asyncio.Future[None]] = []
        self._sleeping: dict[Job, asyncio.TimerHandle] = {}
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
            for job, timer in self._sleeping.items():
                timer.cancel()
                job.leave()

    def kick(self) -> None:
        """Wake one idle slot if a job may start."""
        if self._idle and self._queues.startable():
            waiter = self._idle.pop()
            if not waiter.done():
                waiter.set_result(None)

    @contextmanager
    def lent(self, job: Job) -> Iterator[None]:
        """For as long as the handler of this job waits for an answer, another slot works in its place."""
        started = time.monotonic()
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
            if again is None:
                queues.done(job)
            else:
                queues.sleep(job)
                self._sleeping[job] = loop.call_later(again, self._wake, job)
            if not queues.running:
                self._quiet.set()

    def _start(self) -> None:
        if self._group is not None:
            self._group.create_task(self._slot(), name="slot")

    def _wake(self, job: Job) -> None:
        del self._sleeping[job]
        if not self._queues.wake(job):
            job.leave()
        self.kick()
