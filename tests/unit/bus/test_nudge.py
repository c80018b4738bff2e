"""When to look again."""

from __future__ import annotations

import asyncio

from botmatrix.bus.nudge import Nudge


async def test_a_signal_ends_the_wait_also_one_that_came_before_it() -> None:
    nudge = Nudge(60.0)
    nudge(b"7")
    async with asyncio.timeout(5):
        await nudge.wait()
        waiting = asyncio.create_task(nudge.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        nudge()
        await waiting


async def test_a_lost_signal_is_waited_for_a_while_only() -> None:
    async with asyncio.timeout(5):
        await Nudge(0.01).wait()
