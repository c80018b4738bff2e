"""One child that is kept running: started, watched, started again, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from asyncio.subprocess import Process
from collections.abc import Callable
from enum import Enum, auto

import structlog

from botmatrix.clock import Clock
from botmatrix.embedded.journal import Journal
from botmatrix.embedded.process import Program, kill_group, spawn, stop
from botmatrix.embedded.relay import Relay

_log = structlog.get_logger()

FINAL_CODES = {75: "superseded by a newer process with the same id", 78: "a setting is wrong"}
"""Exit codes after which starting again would only repeat the answer."""

_LAST_LINES = 1.0
"""Seconds for the last lines of a child that has ended."""


class Backoff:
    """How long to wait before the next start: 1, 2, 4 ... 60 s; from 1 again after a stable minute."""

    FIRST, LAST, STABLE = 1.0, 60.0, 60.0

    def __init__(self) -> None:
        self._next = self.FIRST

    def after(self, ran: float) -> float:
        """Seconds to wait after a run of `ran` seconds."""
        if ran >= self.STABLE:
            self._next = self.FIRST
        delay, self._next = self._next, min(self._next * 2, self.LAST)
        return delay


class ChildState(Enum):
    """A child's life."""

    WAITING = auto()
    RUNNING = auto()
    ENDED = auto()


class Child:
    """Keeps one program running until `stop`. `on_final` hears of an exit code that forbids another start."""

    def __init__(
        self,
        program: Program,
        *,
        engine: bool,
        journal: Journal,
        clock: Clock,
        on_final: Callable[[str, int], None],
    ) -> None:
        self.program = program
        self.state = ChildState.WAITING
        self.failures = 0
        self._relay = Relay(program.name, engine=engine)
        self._journal, self._clock, self._on_final = journal, clock, on_final
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._backoff = Backoff()

    @property
    def last_words(self) -> str:
        """The last line it wrote."""
        return self._relay.last_words[-1] if self._relay.last_words else "it said nothing"

    async def keep(self) -> None:
        """Run it again and again. Returns after `stop`, or after a final exit code."""
        while not self._stopping.is_set():
            begun = self._clock.monotonic()
            code = await self._run()
            if self._stopping.is_set():
                break
            self.failures += 1
            if code in FINAL_CODES:
                _log.error("ended for good", part=self.program.name, because=FINAL_CODES[code])
                self._on_final(self.program.name, code)
                break
            delay = self._backoff.after(self._clock.monotonic() - begun)
            _log.warning("ended, will start again", part=self.program.name, how=how(code), seconds=delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
        self.state = ChildState.ENDED

    async def _run(self) -> int:
        """One life: the exit code, negative for a signal."""
        try:
            process, output = await spawn(self.program)
        except OSError as error:
            _log.error("can't be started", part=self.program.name, error=error.strerror or str(error))
            return 127
        self._process, self.state = process, ChildState.RUNNING
        self._journal.started(self.program, process.pid)
        reading = asyncio.create_task(self._relay.read(output), name=f"{self.program.name} output")
        if self._stopping.is_set():  # told to stop while it was being started
            await self.stop()
        code = await process.wait()
        kill_group(process.pid)  # what it started does not outlive it
        await _finish(reading)
        self.state = ChildState.WAITING
        self._journal.ended(self.program.name)
        return code

    async def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self._stopping.set()
        process = self._process
        if process is not None and not await stop(process, self.program):
            _log.warning("did not end in time and was killed", part=self.program.name)

    def kill(self) -> None:
        """End it now."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            kill_group(self._process.pid)


async def _finish(reading: asyncio.Task[None]) -> None:
    """Let it read what is left; something that escaped the session may hold the pipe open for ever."""
    await asyncio.wait({reading}, timeout=_LAST_LINES)
    reading.cancel()


def how(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
