"""Places of a plugin's process."""

from __future__ import annotations

import asyncio

import pytest

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


async def test_those_whose_patience_ends_go_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "SILENCE", 0.2)
    exchange, loop = Exchange(Figures()), asyncio.get_running_loop()
    gate = Gate(1, exchange)
    exchange.write = lambda _line: True
    await gate.enter()

    async def went() -> float:
        with pytest.raises(PluginDown, match="answers nothing"):
            await gate.enter()
        return loop.time()

    times = await asyncio.gather(*(went() for _ in range(400)))
    assert max(times) - min(times) >= 399 * gates.APART - 0.01
