"""Processes with pipes."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO

import psutil
import pytest

from botmatrix.pipes import for_loop
from botmatrix.worker.spawn import spawn

ECHO = "import sys; sys.stderr.write('heard'); sys.stdout.write(sys.stdin.read()); sys.exit(3)"


async def test_it_hears_answers_and_ends(tmp_path: Path) -> None:
    process = await spawn((sys.executable, "-c", ECHO), env=os.environ, folder=tmp_path)
    process.stdin.write(b"hello")
    process.stdin.close()
    assert await process.stdout.read() == b"hello"
    assert await process.stderr.read() == b"heard"
    assert await process.wait() == 3
    assert process.returncode == 3
    process.terminate()  # it is over: nobody else is hit


async def test_a_signal_is_its_end() -> None:
    process = await spawn(("/bin/cat",), env=os.environ)
    assert os.getpgid(process.pid) == process.pid
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    process.close()


async def test_a_program_that_is_not_there_is_refused() -> None:
    with pytest.raises(FileNotFoundError):
        await spawn(("/no/such/program",), env=os.environ)


async def test_one_whose_pipes_can_not_be_connected_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([for_loop, for_loop])

    def until_numbers_run_out(pipe: IO[bytes]) -> IO[bytes]:
        for connect in left:
            return connect(pipe)
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("botmatrix.worker.spawn.for_loop", until_numbers_run_out)
    here = psutil.Process()
    fds, children = here.num_fds(), here.children()
    with pytest.raises(OSError, match="too many open files"):
        await spawn(("/bin/cat",), env=os.environ)
    async with asyncio.timeout(20):
        while here.num_fds() > fds or here.children() != children:
            await asyncio.sleep(0.01)


async def test_nothing_is_left_of_many(tmp_path: Path) -> None:
    async def one() -> None:
        process = await spawn((sys.executable, "-S", "-c", ECHO), env=os.environ, folder=tmp_path)
        process.stdin.close()
        await process.wait()
        process.close()

    await one()
    here = psutil.Process()
    fds, threads, children = here.num_fds(), threading.active_count(), here.children()
    await asyncio.gather(*(one() for _ in range(10)))
    async with asyncio.timeout(20):
        while here.num_fds() > fds or threading.active_count() > threads or here.children() != children:
            await asyncio.sleep(0.01)
