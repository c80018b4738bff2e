"""One at a time for each key."""

from __future__ import annotations

import asyncio
import weakref

from botmatrix.worker.plugins.turns import Turns


async def test_each_waits_for_those_before_it_and_for_nobody_elses_key() -> None:
    turns, order = Turns(), list[str]()
    first_may_go = asyncio.Event()

    async def take(key: str, name: str) -> None:
        async with turns.of(key):
            if name == "first":
                await first_may_go.wait()
            order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in ("first", "second", "third"):
            group.create_task(take("a", name))
        await group.create_task(take("b", "other"))
        first_may_go.set()
    assert order == ["other", "first", "second", "third"]


async def test_a_key_that_nobody_uses_is_forgotten() -> None:
    turns = Turns()
    async with (lock := turns.of("a")):
        assert turns.of("a") is lock
    forgotten = weakref.ref(lock)
    del lock
    assert forgotten() is None
