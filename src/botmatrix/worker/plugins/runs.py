"""The handlers that run now, each with its deadline. No timer per event: the worker sweeps them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, cast

from botmatrix.clock import Clock
from botmatrix.sdk.app import App
from botmatrix.worker.plugins.life import Life


class HandlerTimeout(Exception):
    """A handler did not end within its time limit and was cancelled."""


class HandlerMoved(Exception):
    """A handler that waited for a person was ended: a newer version of its plugin is there, and runs it again."""


class Timed(Protocol):
    """A function of a plugin: its name, and the seconds that it may take."""

    @property
    def name(self) -> str: ...

    @property
    def timeout(self) -> float: ...


class Work(Protocol):
    """What runs: a handler or a skill, of one version of a plugin."""

    @property
    def app(self) -> App: ...

    @property
    def handler(self) -> Timed: ...

    @property
    def life(self) -> Life: ...


class Run:
    """One running handler. Times are monotonic seconds."""

    __slots__ = ("bound", "cancels", "deadline", "moved", "started", "task")

    def __init__(self, bound: Work, started: float, deadline: float, task: asyncio.Task[Any]) -> None:
        self.bound = bound
        self.moved = False
        self.started = started
        self.deadline = deadline
        self.task = task
        self.cancels = 0

    @property
    def plugin(self) -> str:
        """The id of its plugin."""
        return self.bound.app.id

    @property
    def handler(self) -> str:
        """The handler's name."""
        return self.bound.handler.name

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

    def move(self, life: Life) -> None:
        """End the handlers of a version that wait for a person."""
        for run in self.running:
            if run.bound.life is life and run.deadline == math.inf and not run.moved:
                run.moved = True
                run.cancels += 1
                run.task.cancel()

    async def watch(self, bound: Work, work: Awaitable[Any], limit: float = math.inf) -> Any:
        """Await the work within its time limit, and within `limit` (s).

        Raises `HandlerTimeout`, `HandlerMoved`; lets other cancels through.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        started = self._clock.monotonic()
        timeout = min(bound.handler.timeout, limit)
        run = Run(bound, started, started + timeout, task)
        self.running.add(run)
        token = _current.set(run)
        try:
            return await work
        except asyncio.CancelledError:
            if run.end() and not task.cancelling():
                if run.moved:
                    raise HandlerMoved from None
                raise HandlerTimeout(f"not done after {timeout:g} s") from None
            raise
        finally:
            _current.reset(token)
            self.running.discard(run)
            if run.cancels:  # it was told to end, and ended some other way
                run.end()
