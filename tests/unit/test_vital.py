"""A part that ends by itself takes its process with it."""

from __future__ import annotations

import asyncio
import signal

from botmatrix.vital import must_not_end


async def test_a_part_that_fails_ends_the_process() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    try:
        task = asyncio.create_task(asyncio.sleep(0))
        task.add_done_callback(must_not_end)
        async with asyncio.timeout(5):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


async def test_one_that_is_cancelled_does_not() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    try:
        task = asyncio.create_task(asyncio.sleep(60))
        task.add_done_callback(must_not_end)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert not ended.is_set()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
