"""Keeps one plugin's process running: starts it, starts it again with growing pauses, gives up when it won't stay."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from botmatrix.clock import Clock
from botmatrix.worker.plugins.isolated.child import Child, Launch
from botmatrix.worker.plugins.isolated.exchange import Exchange
from botmatrix.worker.plugins.isolated.figures import Figures, State
from botmatrix.worker.plugins.isolated.lines import Hello
from botmatrix.worker.plugins.isolated.tap import Tap
from botmatrix.worker.plugins.loader import LoadError
from botmatrix.worker.plugins.settings import UNFIT, SettingsRefused


@dataclass(frozen=True, slots=True)
class Pace:
    """Times (s): the first pause doubles up to `longest`; `most` crashes within `window` mean quarantine.

    A process that lives for `settle`, or has said hello, counts as started.
    """

    first: float = 1.0
    longest: float = 60.0
    most: int = 5
    window: float = 600.0
    settle: float = 0.5
    hello: float = 28.0


class Keeper:
    """One plugin's process over all its starts."""

    def __init__(
        self, launch: Launch, exchange: Exchange, figures: Figures, clock: Clock, *, pace: Pace, says_hello: bool
    ) -> None:
        self._launch, self._exchange, self.figures, self._clock = launch, exchange, figures, clock
        self._pace, self._says_hello = pace, says_hello
        self._tap = Tap(launch.plugin, figures, clock)
        self._log = logging.getLogger(f"botmatrix.plugin.{launch.plugin}")
        self._crashes: deque[float] = deque(maxlen=pace.most)
        self._child: Child | None = None
        self._starting = False
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Future[Hello | None] | None = None
        exchange.on_hello = self._hello
        self.on_start: Callable[[], None] = _nothing
        """A process has just started and can be told something."""
        self.on_hello: Callable[[Hello], None] = _nothing
        """It said something of itself, even if that is why it can't run."""
        self.on_quarantine: Callable[[], None] = _nothing
        """It is not started again."""

    async def start(self) -> Hello | None:
        """Start it; what it says of itself. Raises `LoadError` when it does not stay."""
        self.figures.state = State.STARTING
        self._started = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"plugin-{self._launch.plugin}")
        try:
            async with asyncio.timeout(self._pace.hello):
                return await asyncio.shield(self._started)
        except TimeoutError:
            raise LoadError(f"{self._launch.plugin} did not say hello in {self._pace.hello:g} s") from None

    async def stop(self) -> None:
        """End it, and all that it started. Does nothing the second time."""
        task, self._task = self._task, None
        if task is None:
            return
        self.figures.state = State.STOPPED
        if self._child is not None:
            self._child.stop("stopped")
        elif not self._starting:
            task.cancel()
        await asyncio.wait([task])
        if self._started is not None and self._started.done() and not self._started.cancelled():
            self._started.exception()

    def hung(self, timeout: float) -> None:
        """It answers nothing any more: end it, to be started anew."""
        if self._child is not None:
            self._child.stop(f"answered nothing for {timeout:g} s")

    async def _run(self) -> None:
        while True:
            reason = await self._live()
            self._exchange.lost(reason)
            self.figures.pid = 0
            if self.figures.state is State.STOPPED:
                return
            self.figures.error = reason
            if self._started is not None and not self._started.done():
                self._started.set_exception(LoadError(f"its process {reason}"))
                return
            if not await self._pause(reason):
                return

    async def _live(self) -> str:
        """One life of it: why it ended."""
        self._starting = True
        try:
            self._child = await Child.start(self._launch, self.figures, self._tap, self._exchange.received)
        except OSError as error:
            return f"can't be started: {error.strerror}"
        finally:
            self._starting = False
        self._exchange.write, self._child.on_stop = self._child.write, self._stopping
        if self.figures.state is State.STOPPED:
            self._child.stop("stopped")
        self.figures.pid = self._child.pid
        settle = asyncio.get_running_loop().call_later(self._pace.settle, self._settled)
        self.on_start()
        try:
            return await self._child.run()
        finally:
            settle.cancel()
            self._child = None

    def _stopping(self, reason: str) -> None:
        """It is being ended, which may take a while: nothing waits for it any more but what it has."""
        self._exchange.write = None
        if self.figures.state is not State.STOPPED:
            self.figures.error = reason

    async def _pause(self, reason: str) -> bool:
        """Whether to start it again; waits before."""
        self._crashes.append(self._clock.monotonic())
        if len(self._crashes) == self._pace.most and self._crashes[-1] - self._crashes[0] < self._pace.window:
            self.figures.state = State.QUARANTINED
            self.on_quarantine()
            self._log.error(
                "is in quarantine after %d crashes; load it anew to try again (%s)", self._pace.most, reason
            )
            return False
        self.figures.state = State.WAITING
        self.figures.restarts += 1
        pause = min(self._pace.longest, self._pace.first * 2 ** (self._recent() - 1))
        self._log.error("%s; it is started again in %g s", reason, round(pause, 1))
        await asyncio.sleep(pause * random.uniform(0.7, 1.0))  # noqa: S311  spreads restarts, no secret
        self.figures.state = State.STARTING
        return True

    def _recent(self) -> int:
        since = self._clock.monotonic() - self._pace.window
        return sum(crash >= since for crash in self._crashes)

    def _settled(self) -> None:
        if not self._says_hello:
            self._up(None)

    def _hello(self, hello: Hello) -> None:
        if not self._says_hello:
            self.figures.lines["no_answer"] += 1
            return
        self.on_hello(hello)
        if hello.unfit:
            self._fail(SettingsRefused(self._launch.plugin, hello.error.removeprefix(UNFIT), hello.settings))
        elif hello.error:
            self._fail(LoadError(hello.error))
        else:
            self._up(hello)

    def _up(self, hello: Hello | None) -> None:
        self.figures.state = State.RUNNING
        self.figures.error = ""
        if self._child is not None:
            self._child.started()
        if self._started is not None and not self._started.done():
            self._started.set_result(hello)

    def _fail(self, error: LoadError) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_exception(error)
        if self._child is not None:
            self._child.stop(str(error))


def _nothing(*_told: object) -> None:
    """Nobody needs to know."""
