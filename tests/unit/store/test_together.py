"""Small statements of many requests as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from botmatrix.errors import EngineUnavailable
from botmatrix.store.together import MOST, Together


class Work:
    """Doubles numbers; what it was given, call by call. It waits for `go` each time."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.given.append(list(numbers))
        await self.go.wait()
        if 13 in numbers:
            raise ValueError("not this one")
        if 503 in numbers:
            raise EngineUnavailable("PostgreSQL", "it is away", "Wait")
        return [number * 2 for number in numbers]


async def test_who_asks_alone_is_answered_alone() -> None:
    work = Work()
    together = Together(work)
    assert [await together.ask(1), await together.ask(2)] == [2, 4]
    assert work.given == [[1], [2]]


async def test_what_comes_while_one_is_under_way_goes_with_the_next() -> None:
    work = Work()
    work.go.clear()
    together = Together(work)
    first = asyncio.create_task(together.ask(1))
    while not work.given:
        await asyncio.sleep(0)
    others = [asyncio.create_task(together.ask(number)) for number in range(2, 7)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10, 12]
    assert work.given == [[1], [2, 3, 4, 5, 6]]


async def test_no_more_than_so_many_go_at_once() -> None:
    work = Work()
    together = Together(work)
    assert await asyncio.gather(*map(together.ask, range(1000, 1000 + 2 * MOST + 1))) == [
        *range(2000, 2000 + 4 * MOST + 1, 2)
    ]
    assert [len(one) for one in work.given] == [MOST, MOST, 1]


async def test_one_that_cannot_be_done_harms_no_other() -> None:
    together = Together(Work())
    found = await asyncio.gather(*map(together.ask, (1, 13, 2)), return_exceptions=True)
    assert [found[0], found[2]] == [2, 4]
    assert isinstance(found[1], ValueError)


async def test_all_hear_of_an_engine_that_is_away_at_once() -> None:
    work = Work()
    together = Together(work)
    found = await asyncio.gather(*map(together.ask, (1, 503, 2)), return_exceptions=True)
    assert all(isinstance(one, EngineUnavailable) for one in found)
    assert len(work.given) == 1
    assert await together.ask(4) == 8


async def test_who_does_not_wait_any_more_harms_no_other() -> None:
    work = Work()
    work.go.clear()
    together = Together(work)
    tasks = [asyncio.create_task(together.ask(number)) for number in (1, 2, 3)]
    while not work.given:
        await asyncio.sleep(0)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    work.go.set()
    assert [await tasks[0], await tasks[2], await together.ask(4)] == [2, 6, 8]
