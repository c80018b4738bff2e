"""Ends of pipes in the hands of an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from botmatrix.pipes import for_loop


async def test_an_end_given_to_uvloop_closes_nothing_itself() -> None:
    async def close() -> None:
        reading, writing = os.pipe()
        end = for_loop(os.fdopen(reading, "rb", 0))
        number = end.fileno()
        end.close()
        os.write(writing, b"x")
        assert os.read(number, 1) == b"x"
        os.close(number)
        os.close(writing)

    await asyncio.to_thread(uvloop.run, close())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
async def test_the_loop_closes_both_ends(run: Callable[..., Any]) -> None:
    async def connect() -> str:
        loop, (reading, writing) = asyncio.get_running_loop(), os.pipe()
        pipe = os.readlink(f"/proc/self/fd/{reading}")
        ends = [
            await loop.connect_read_pipe(asyncio.Protocol, for_loop(os.fdopen(reading, "rb", 0))),
            await loop.connect_write_pipe(asyncio.BaseProtocol, for_loop(os.fdopen(writing, "wb", 0))),
        ]
        assert is_open(pipe)
        for transport, _ in ends:
            transport.close()
        await asyncio.sleep(0)
        return pipe

    assert not is_open(await asyncio.to_thread(run, connect()))


def is_open(pipe: str) -> bool:
    """Whether any number of this process is an end of it."""
    numbers = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return pipe in [os.readlink(number) for number in numbers if os.path.lexists(number)]
