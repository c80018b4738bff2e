"""Statements of many requests as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from botmatrix.errors import EngineUnavailable
from botmatrix.store.together import MOST, Together


class Desk:
    """Work that doubles numbers when it is let go, and can't do a 7."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()
        self.away = False

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.go.wait()
        if self.away:
            raise EngineUnavailable("PostgreSQL", "away", "Start it")
        if 7 in numbers:
            raise ValueError("seven")
        return [2 * one for one in numbers]


async def test_what_is_asked_meanwhile_goes_with_the_next() -> None:
    desk = Desk()
    together = Together(desk)
    asked = [asyncio.create_task(together.ask(number)) for number in range(3)]
    while not desk.batches:
        await asyncio.sleep(0)
    asked += [asyncio.create_task(together.ask(number)) for number in (10, 11)]
    await asyncio.sleep(0)
    desk.go.set()
    assert await asyncio.gather(*asked) == [0, 2, 4, 20, 22]
    assert desk.batches == [[0, 1, 2], [10, 11]]


async def test_one_that_cant_be_done_fails_alone() -> None:
    desk = Desk()
    desk.go.set()
    together = Together(desk)
    found = await asyncio.gather(*(together.ask(number) for number in (1, 7, 2)), return_exceptions=True)
    assert [str(one) for one in found] == ["2", "seven", "4"]


async def test_while_the_engine_is_away_nobody_is_asked_one_by_one() -> None:
    desk = Desk()
    desk.go.set()
    desk.away = True
    together = Together(desk)
    found = await asyncio.gather(*(together.ask(number) for number in (1, 2)), return_exceptions=True)
    assert [type(one) for one in found] == [EngineUnavailable] * 2
    assert len(desk.batches) == 1
    desk.away = False
    assert await together.ask(3) == 6


async def test_who_gives_up_leaves_the_others_be() -> None:
    desk = Desk()
    together = Together(desk)
    first, second = asyncio.create_task(together.ask(1)), asyncio.create_task(together.ask(2))
    while not desk.batches:
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    desk.go.set()
    assert await second == 4


async def test_a_statement_has_a_limit() -> None:
    desk = Desk()
    desk.go.set()
    together = Together(desk)
    await asyncio.gather(*(together.ask(1) for _ in range(MOST + 1)))
    assert [len(batch) for batch in desk.batches] == [MOST, 1]
