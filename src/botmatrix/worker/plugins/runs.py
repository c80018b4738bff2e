"""The handlers that run now, each with its deadline. No timer per event: the worker sweeps them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from botmatrix.clock import Clock


class HandlerTimeout(Exception):
    """A handler did not end within its time limit and was cancelled."""


class Run:
    """One running handler. Times are monotonic seconds."""

    __slots__ = ("cancels", "deadline", "handler", "plugin", "started", "task")

    def __init__(self, plugin: str, handler: str, started: float, deadline: float, task: asyncio.Task[Any]) -> None:
        self.plugin = plugin
        self.handler = handler
        self.started = started
        self.deadline = deadline
        self.task = task
        self.cancels = 0

    def end(self) -> bool:
        """Take back the cancel requests made here, so that the task goes on; whether there were any."""
        expired = self.cancels > 0
        while self.cancels:
            self.cancels -= 1
            self.task.uncancel()
        return expired


_current: ContextVar[Run | None] = ContextVar("run", default=None)


@contextmanager
def resting() -> Iterator[None]:
    """The handler that runs here waits for a person: its time limit does not count meanwhile."""
    run, started = _current.get(), time.monotonic()
    if run is None:
        yield
        return
    deadline, run.deadline = run.deadline, math.inf
    try:
        yield
    finally:
        run.deadline = deadline + time.monotonic() - started


class Runs:
    """What runs, and the sweep over it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.running: set[Run] = set()

    def expire(self, now: float) -> int:
        """Cancel what is past its deadline at `now` (monotonic), again if it went on; says how many."""
        late = [run for run in self.running if run.deadline <= now]
        for run in late:
            run.cancels += 1
            run.task.cancel()
        return len(late)

    async def watch(self, plugin: str, handler: str, timeout: float, work: Awaitable[Any]) -> Any:
        """Await the work within its time limit. Raises `HandlerTimeout`; lets other cancels through."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        started = self._clock.monotonic()
        run = Run(plugin, handler, started, started + timeout, task)
        self.running.add(run)
        token = _current.set(run)
        try:
            return await work
        except asyncio.CancelledError:
            if run.end() and not task.cancelling():
                raise HandlerTimeout(f"not done after {timeout:g} s") from None
            raise
        finally:
            _current.reset(token)
            self.running.discard(run)
            if run.cancels:  # it was told to end, and ended some other way
                run.end()
