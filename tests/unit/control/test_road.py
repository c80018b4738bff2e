"""The road of an event in words."""

from __future__ import annotations

import msgspec

from botmatrix.bus.trace_parts import Ran
from botmatrix.control.tracing.road import Road


def test_the_id_of_a_worker_stands_there_as_it_is() -> None:
    ran = Ran("0" * 24, 1, "Büro-PC.Mine", "Büro-PC.Mine", 2, 3, "done", quiet="no_match")
    road = Road([msgspec.to_builtins(ran)])
    assert road.why() == "No plugin of worker Büro-PC.Mine listens to this."
