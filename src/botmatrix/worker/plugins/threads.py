"""Threads for `def` handlers: a bounded number, none of which can keep the process from ending."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = Callable[[], Any]
_MAX_ABANDONED = 64


class Threads:
    """Runs functions in at most `size` threads.

    A function that is given up while it runs can't be stopped; its thread is abandoned and another may take
    its place, up to 64 times. Threads are daemons: a stuck one dies with the process.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._abandoned = 0

    async def run(self, function: Job) -> Any:
        """Run it; gives what it returns, raises what it raises. Cancelled while it waits, it is never run."""
        job = _Job(function, asyncio.get_running_loop())
        with self._lock:
            if self._idle:
                self._idle -= 1  # here, not by the thread: the next job must not count on the same one
            elif self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name="botmatrix-plugin", daemon=True).start()
            self._jobs.put(job)
        try:
            return await job.future
        finally:
            self._give_up(job)

    def close(self) -> None:
        """Let the threads end once they are idle."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = self._idle = 0

    def _give_up(self, job: _Job) -> None:
        with self._lock:
            job.given_up = True
            if job.running and self._abandoned < _MAX_ABANDONED:
                job.abandoned = True
                self._abandoned += 1
                self._threads -= 1

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if self._begin(job):
                job.run()
                if self._end(job):
                    return

    def _next(self) -> _Job | None:
        with self._lock:
            if not self._jobs.empty():
                return self._jobs.get_nowait()
            self._idle += 1
        return self._jobs.get()

    def _begin(self, job: _Job) -> bool:
        with self._lock:
            job.running = not job.given_up
            return job.running

    def _end(self, job: _Job) -> bool:
        """Whether this thread was abandoned meanwhile, so that it must end."""
        with self._lock:
            job.running = False
            self._abandoned -= job.abandoned
        job.deliver()
        return job.abandoned


class _Job:
    __slots__ = ("_error", "_function", "_loop", "_result", "abandoned", "future", "given_up", "running")

    def __init__(self, function: Job, loop: asyncio.AbstractEventLoop) -> None:
        self._function = function
        self._loop = loop
        self._result: Any = None
        self._error: BaseException | None = None
        self.future: asyncio.Future[Any] = loop.create_future()
        self.running = self.given_up = self.abandoned = False

    def run(self) -> None:
        try:
            self._result = self._function()
        except StopIteration as error:
            self._error = RuntimeError("the handler raised StopIteration")
            self._error.__cause__ = error
        except BaseException as error:
            self._error = error

    def deliver(self) -> None:
        """Hand the result over to the loop, unless it is gone."""
        if not self.given_up and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if self.future.done():
            return
        if self._error is not None:
            self.future.set_exception(self._error)
        else:
            self.future.set_result(self._result)
