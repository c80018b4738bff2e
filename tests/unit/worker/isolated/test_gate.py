"""Places of a plugin's process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from botmatrix.worker.plugins.isolated import gate as gates
from botmatrix.worker.plugins.isolated.exchange import Exchange, PluginDown
from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.isolated.gate import Gate


async def test_who_comes_when_there_is_no_process_waits_for_no_place() -> None:
    exchange = Exchange(Figures(error="ended with exit code 1"))
    exchange.write = lambda _line: True
    gate = Gate(1, exchange)
    await gate.enter()
    exchange.lost("ended")
    with pytest.raises(PluginDown, match="exit code 1"):
        gate.enter().send(None)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_those_whose_patience_ends_go_one_after_another(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[Coroutine[Any, Any, list[float]]], list[float]]
) -> None:
    monkeypatch.setattr(gates, "SILENCE", 0.2)
    times = run(leaving(400))
    assert max(times) - min(times) >= 399 * gates.APART - 0.01


async def leaving(count: int) -> list[float]:
    """When each of so many was sent away."""
    exchange, loop = Exchange(Figures()), asyncio.get_running_loop()
    gate = Gate(1, exchange)
    exchange.write = lambda _line: True
    await gate.enter()

    async def went() -> float:
        with pytest.raises(PluginDown, match="answers nothing"):
            await gate.enter()
        return loop.time()

    return await asyncio.gather(*(went() for _ in range(count)))


def opened(size: int) -> tuple[Gate, Exchange]:
    exchange = Exchange(Figures())
    exchange.write = lambda _line: True
    return Gate(size, exchange), exchange


async def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    gate, _ = opened(1)
    order: list[int] = []

    async def work(number: int) -> None:
        await gate.enter()
        with gate.place():
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(number) for number in range(20)))
    assert order == list(range(20))


async def test_a_place_given_to_one_who_goes_away_at_that_moment_is_the_next_ones() -> None:
    gate, _ = opened(1)
    await gate.enter()
    first, second = (asyncio.create_task(gate.enter()) for _ in range(2))
    await asyncio.sleep(0)
    with gate.place():
        pass
    first.cancel()
    await second
    assert first.cancelled()


async def test_who_goes_away_while_he_waits_is_given_no_place() -> None:
    gate, _ = opened(1)
    await gate.enter()
    gone, stays = (asyncio.create_task(gate.enter()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    with gate.place():
        pass
    await stays
    assert gone.cancelled()


async def test_patience_does_not_end_while_anything_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "SILENCE", 0.1)
    gate, exchange = opened(1)
    loop = asyncio.get_running_loop()
    await gate.enter()
    waits = asyncio.create_task(gate.enter())
    until = loop.time() + 0.4
    while loop.time() < until:
        exchange.heard, exchange.heard_at = exchange.heard + 1, loop.time()
        await asyncio.sleep(0.01)
    assert not waits.done()
    with pytest.raises(PluginDown, match="answers nothing"):
        await waits
    assert loop.time() - until >= 0.1
