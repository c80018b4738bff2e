"""One start of a plugin's process: its pipes, its log, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from botmatrix.worker.plugins.isolated import guard
from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.isolated.lines import Splitter
from botmatrix.worker.plugins.isolated.manifest import Limits
from botmatrix.worker.plugins.isolated.tap import Tap
from botmatrix.worker.spawn import Spawned, spawn

MOST_UNREAD = 4 << 20
"""Bytes that may wait for a plugin to read them."""
RATE, BURST = 8 << 20, 16 << 20
"""Bytes a second that are read of a plugin's output, and how many at once."""
MOST_JUNK, FORGIVEN = 32 << 20, 64 << 10
"""Bytes that are no answer, after which a process is ended, and how many of them are forgotten a second."""
LINE = 512
"""Bytes that a line counts as at least: many short ones cost more than their bytes."""
CHUNK = 16_384
"""Bytes that are read at once."""
TURN = 0.0003
"""Seconds for which its lines are read before everything else has its turn."""
REST = 4
"""Times as long nothing is read after what was of no use: it may take a fifth of the worker's time at the most."""
SHORTEST = 0.001
"""Seconds that a rest lasts at least: what is shorter is put off."""
GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
LAST_WORDS = 0.5
"""Seconds for which is read what a process wrote before its end."""
NICE = 5

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and where. `env` comes on top of the few harmless variables of the worker's own."""

    plugin: str
    argv: Sequence[str]
    folder: Path
    limits: Limits
    env: Mapping[str, str]


class Child:
    """A running process. `on_line` gets each line that begins with `{`; everything else is its log.

    `on_line` says whether a line was of use.
    """

    def __init__(self, process: Spawned, figures: Figures, tap: Tap, on_line: Callable[[bytes], bool]) -> None:
        self._process, self._figures, self._tap, self._on_line = process, figures, tap, on_line
        self._junk = self._rest = 0.0
        self._stopped_for = ""

    @classmethod
    async def start(cls, launch: Launch, figures: Figures, tap: Tap, on_line: Callable[[bytes], bool]) -> Child:
        """Start it behind its guard. Raises `OSError`."""
        limits = (f"{name}={value}" for name, value in _config(launch.limits).items())
        argv = (sys.executable, "-I", "-S", guard.__file__, *limits, "--", *launch.argv)
        env = {**{name: os.environ[name] for name in _INHERITED if name in os.environ}, **launch.env}
        return cls(await spawn(argv, env=env, folder=launch.folder), figures, tap, on_line)

    @property
    def pid(self) -> int:
        """Of the guard, which is the process group."""
        return self._process.pid

    def write(self, line: bytes) -> bool:
        """Send a line; False when it is gone or does not read."""
        stdin = self._process.stdin
        if stdin.is_closing() or stdin.transport.get_write_buffer_size() > MOST_UNREAD:
            return False
        stdin.write(line)
        return True

    async def run(self) -> str:
        """Until it has ended and its output is read: why it ended."""
        try:
            async with asyncio.TaskGroup() as group:
                stdout = group.create_task(self._read_stdout(), name="plugin-stdout")
                stderr = group.create_task(self._read_stderr(), name="plugin-stderr")
                code = await self._process.wait()
                _, late = await asyncio.wait([stdout, stderr], timeout=LAST_WORDS)
                for reading in late:
                    reading.cancel()
        finally:
            self._kill_group()
            self._process.close()
        return self._stopped_for or _reason(code, self._tap.last)

    def stop(self, reason: str) -> None:
        """Have it end: first kindly, after the grace by force. `run` returns when it has."""
        self._stopped_for = self._stopped_for or reason
        self._process.stdin.close()
        with suppress(ProcessLookupError):
            self._process.terminate()

    async def _read_stdout(self) -> None:
        stdout, splitter = self._process.stdout, Splitter()
        loop = asyncio.get_running_loop()
        left, filled = float(BURST), loop.time()
        while chunk := await stdout.read(CHUNK):
            before = self._junk
            await self._take(splitter, chunk)
            if self._junk == before and splitter.skipping:
                self._junk += len(chunk)
            if self._junk > MOST_JUNK:
                self.stop("floods its output")
            now, cost = loop.time(), max(len(chunk), LINE * chunk.count(b"\n"))
            left = min(BURST, left + (now - filled) * RATE) - cost
            self._junk = max(0.0, self._junk - (now - filled) * FORGIVEN)
            filled = now
            await self._pause(-left / RATE)

    async def _take(self, splitter: Splitter, chunk: bytes) -> None:
        turn, began = 0.0, time.perf_counter()
        for line in splitter.feed(chunk):
            is_answer = line.startswith(b"{")
            if not is_answer:
                self._tap.line(line)
            is_of_use = is_answer and self._on_line(line)
            took = time.perf_counter() - began
            if not is_of_use:
                self._junk += max(len(line), LINE)
                self._rest += took * REST
            turn += took
            if turn > TURN:
                await self._pause()
                turn = 0.0
            began = time.perf_counter()
        if splitter.too_long:
            self._figures.lines["too_long"] += splitter.too_long
            splitter.too_long = 0

    async def _pause(self, debt: float = 0.0) -> None:
        """Let everything else have its turn, for so many seconds at least: reading what is there already does not."""
        pause = max(self._rest, debt)
        if pause < SHORTEST:
            pause = 0.0
        else:
            self._rest = 0.0
        await asyncio.sleep(pause)

    async def _read_stderr(self) -> None:
        stderr, splitter = self._process.stderr, Splitter(longest=64 * 1024)
        while chunk := await stderr.read(CHUNK):
            for line in splitter.feed(chunk):
                self._tap.line(line)
            await asyncio.sleep(len(chunk) / RATE)

    def _kill_group(self) -> None:
        """The guard has seen to it; this is for the case that somebody killed the guard."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _config(limits: Limits) -> dict[str, float]:
    memory = limits.memory_mb << 20
    return {
        "grace": GRACE,
        "nice": NICE,
        "memory": memory,
        "cpu": limits.cpu,
        "processes": limits.processes,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_DATA": 4 * memory,
    }


def _reason(code: int, last: str) -> str:
    said = {
        guard.MEMORY: "used more memory than it may",
        guard.CPU: "used more of the processor than it may",
        guard.PROCESSES: "started more processes than it may",
        guard.NO_START: "can't be started",
    }.get(code)
    if said is None:
        said = f"was killed by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
    return f"{said}: {last}" if last else said
