"""One child process: how it is started and how it is asked to end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from botmatrix.embedded.privileges import Identity, assume, die_with_parent
from botmatrix.pipes import for_loop


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `stdin` is written and closed; standard output and error come back as one stream."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stdin: bytes = field(default=b"", repr=False)
    identity: Identity | None = None
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGTERM
    """What the kernel sends it when its parent is killed."""
    grace: float = 10.0
    """Seconds from the stop signal to SIGKILL."""


class Spawned(NamedTuple):
    """A running child, and what it writes."""

    process: Process
    output: asyncio.StreamReader


async def spawn(program: Program) -> Spawned:
    """Start it in a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone.

    The output is a pipe of ours, not asyncio's: waiting for the child must not wait for a grandchild that
    holds the other end. Raises `OSError` when it can't be started.
    """
    reading, writing = os.pipe()
    given = _filled_pipe(program.stdin)
    try:
        process = await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=given,
            stdout=writing,
            stderr=writing,
            env=dict(program.env),
            cwd="/",
            start_new_session=True,
            preexec_fn=prepared(program, os.getpid()),
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        os.close(given)
    return Spawned(process, await _reader(reading))


def _filled_pipe(content: bytes) -> int:
    """The reading end of a pipe with `content` in it, at most what a pipe holds (64 KiB)."""
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
    finally:
        os.close(writing)
    return reading


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 20)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, for_loop(os.fdopen(descriptor, "rb", 0)))
    return reader


def prepared(program: Program, parent: int) -> Callable[[], None]:
    """What a child does before it becomes the program: it lets go of rights, and ends with its parent."""

    def in_child() -> None:
        os.umask(0o077)
        if program.identity is not None:
            assume(program.identity)
        die_with_parent(parent, program.orphan_signal)

    return in_child


async def run_once(program: Program, *, timeout: float = 60.0) -> tuple[int, str]:
    """Run it to its end: exit code and what it said. A run past the time limit is killed: code -9."""
    process, output = await spawn(program)
    said = bytearray()
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while chunk := await output.read(65536):
                    said += chunk
                await process.wait()
    finally:
        if process.returncode is None:
            kill_group(process.pid)
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace").strip()


async def stop(process: Process, program: Program) -> bool:
    """Ask it to end, wait, then kill its whole session. True when it ended by itself."""
    if process.returncode is not None:
        return True
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(program.stop_signal)
    try:
        async with asyncio.timeout(program.grace):
            await process.wait()
    except TimeoutError:
        kill_group(process.pid)
        await process.wait()
        return False
    return True


def kill_group(pid: int) -> None:
    """SIGKILL to a child and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def calm_collector() -> None:
    """Have the collector of garbage hold up the loop less. Modules stay, so it need not look at them again and again.

    A look at all that lives takes tens of ms when a thousand events wait: it comes ten times as seldom as usual. One at
    what has lived for a moment takes 2 ms when a hundred wait, as their number is all that matters: three times.
    """
    gc.freeze()
    young, middle, _all = gc.get_threshold()
    gc.set_threshold(young, 3 * middle, 33)


def raise_file_limit() -> int:
    """Lift the soft limit of open files to the hard one, for this process and its children; the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
