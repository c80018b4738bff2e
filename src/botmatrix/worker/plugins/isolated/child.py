"""One start of a plugin's process: its pipes, its log, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from botmatrix.worker.plugins.isolated import guard
from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.isolated.manifest import Limits
from botmatrix.worker.plugins.isolated.reading import Reading
from botmatrix.worker.plugins.isolated.tap import Tap
from botmatrix.worker.spawn import Spawned, spawn

MOST_UNREAD = 4 << 20
"""Bytes that may wait for a plugin to read them."""
RATE, BURST = 8 << 20, 2 << 20
"""Bytes a second that are read of a plugin's output, and how many at once."""
LOG_RATE = 1 << 20
"""Bytes a second that are read of what it writes to its log."""
GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
LAST_WORDS = 0.5
"""Seconds for which is read what a process wrote before its end."""

_HERE = str(Path(guard.__file__).parent)
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and where. `env` comes on top of the few harmless variables of the worker's own.

    `steps_back`: on a full machine it waits rather than everybody else.
    """

    plugin: str
    argv: Sequence[str]
    folder: Path
    limits: Limits
    env: Mapping[str, str]
    steps_back: bool = True


class Child:
    """A running process. `on_line` gets each line that begins with `{`; everything else is its log.

    `on_line` says whether a line was of use.
    """

    def __init__(self, process: Spawned, figures: Figures, tap: Tap, on_line: Callable[[bytes], bool]) -> None:
        self._process, self._figures, self._tap, self._on_line = process, figures, tap, on_line
        self._stopped_for = ""
        self.on_stop: Callable[[str], None] = _unheard
        """It is being ended, and is told nothing more; why."""

    @classmethod
    async def start(cls, launch: Launch, figures: Figures, tap: Tap, on_line: Callable[[bytes], bool]) -> Child:
        """Start it behind its guard. Raises `OSError`."""
        limits = (f"{name}={value}" for name, value in _config(launch).items())
        argv = (sys.executable, "-I", "-S", "-c", guard.RUN, _HERE, *limits, "--", *launch.argv)
        env = {**{name: os.environ[name] for name in _INHERITED if name in os.environ}, **launch.env}
        return cls(await spawn(argv, env=env, folder=launch.folder, held=[guard.STARTED]), figures, tap, on_line)

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
                stdout = group.create_task(self._said().run(), name="plugin-stdout")
                stderr = group.create_task(self._logged().run(), name="plugin-stderr")
                code = await self._process.wait()
                _, late = await asyncio.wait([stdout, stderr], timeout=LAST_WORDS)
                for reading in late:
                    reading.cancel()
        finally:
            self._kill_group()
            self._process.close()
        return self._stopped_for or _reason(code, self._tap.last)

    def started(self) -> None:
        """It has: from now on it is worth to the processors what it takes of them."""
        self._process.send(guard.STARTED)

    def stop(self, reason: str) -> None:
        """Have it end: first kindly, after the grace by force. `run` returns when it has."""
        self._stopped_for = self._stopped_for or reason
        self._process.stdin.close()
        self.on_stop(self._stopped_for)
        with suppress(ProcessLookupError):
            self._process.terminate()

    def _said(self) -> Reading:
        stream, enough = self._process.stdout, partial(self.stop, "floods its output")
        return Reading(stream, self._line, enough, self._figures, rate=RATE, burst=BURST)

    def _logged(self) -> Reading:
        return Reading(self._process.stderr, self._log, None, self._figures, rate=LOG_RATE, burst=LOG_RATE)

    def _line(self, line: bytes) -> bool:
        return self._on_line(line) if line.startswith(b"{") else self._log(line)

    def _log(self, line: bytes) -> bool:
        self._tap.line(line)
        return False

    def _kill_group(self) -> None:
        """The guard has seen to it; this is for the case that somebody killed the guard."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _unheard(_reason: str) -> None:
    """Nobody needs to know."""


def _config(launch: Launch) -> dict[str, float]:
    limits, memory = launch.limits, launch.limits.memory_mb << 20
    return {
        "grace": GRACE,
        "nice": guard.NICE if launch.steps_back else 0,
        "nicest": guard.NICEST if launch.steps_back else 0,
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
