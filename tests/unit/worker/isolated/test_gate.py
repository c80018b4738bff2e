"""Places of a plugin's process."""

from __future__ import annotations

import pytest

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
