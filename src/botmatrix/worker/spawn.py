"""Starting a process without holding up the worker.

uvloop forks, which copies the tables of all memory of the worker, 10 ms and more in which no event is handled;
`subprocess` lends the memory to the new process until it has begun.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from botmatrix.pipes import for_loop
from botmatrix.worker.plugins.isolated.guard import NICE, step_back


class Spawned:
    """A process with its pipes. `stderr` is empty when the process has the worker's own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.pid = process, process.pid
        self.stdout, self.stderr = asyncio.StreamReader(), asyncio.StreamReader()
        self.stdin: asyncio.StreamWriter
        self._pipes: list[asyncio.BaseTransport] = []
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = loop.create_future()
        threading.Thread(target=self._watch, args=(loop,), daemon=True, name="process").start()

    @property
    def returncode(self) -> int | None:
        """Its exit code, or minus its signal; None while it runs."""
        return self._process.returncode

    async def connect(self) -> None:
        """Connect the pipes."""
        await self._read(self._process.stdout, self.stdout)
        await self._read(self._process.stderr, self.stderr)
        loop, protocol = asyncio.get_running_loop(), asyncio.StreamReaderProtocol(asyncio.StreamReader())
        pipe = for_loop(cast("IO[bytes]", self._process.stdin))
        transport, _ = await loop.connect_write_pipe(lambda: protocol, pipe)
        self._pipes.append(transport)
        self.stdin = asyncio.StreamWriter(transport, protocol, None, loop)

    async def wait(self) -> int:
        """Until it has ended; its exit code, or minus its signal."""
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        """SIGTERM, if it still runs."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        self._process.kill()

    def send(self, number: int) -> None:
        """A signal, if it still runs."""
        self._process.send_signal(number)

    def close(self) -> None:
        """Close the pipes."""
        for pipe in self._pipes:
            pipe.close()

    async def _read(self, pipe: IO[bytes] | None, reader: asyncio.StreamReader) -> None:
        if pipe is not None:
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, for_loop(pipe))
            self._pipes.append(transport)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(self._ended.set_result, code)


async def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: Path | None = None,
    own_stderr: bool = True,
    held: Collection[int] = (),
) -> Spawned:
    """Start a program in a session of its own, with pipes, behind everybody else. Raises `OSError`.

    `held`: signals that wait in front of it, blocked, until it unblocks them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        started = _started(argv, env, folder, own_stderr)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    process = Spawned(started)
    try:
        await process.connect()
    except BaseException:  # as when file numbers run out: nobody else would end it
        process.terminate()
        process.close()
        for pipe in (started.stdin, started.stdout, started.stderr):
            if pipe is not None:
                pipe.close()
        raise
    return process


def _started(
    argv: Sequence[str], env: Mapping[str, str], folder: Path | None, own_stderr: bool
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - what to start is the caller's to know
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if own_stderr else None,
        cwd=folder,
        env=env,
        start_new_session=True,
    )
    step_back(NICE, process.pid)  # from its first moment; it does so itself too, when Linux would not listen yet
    return process
