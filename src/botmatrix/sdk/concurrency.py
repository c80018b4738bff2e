"""What happens to an event while its handler is still at work on an earlier one of the same person."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DEBOUNCE: Final = re.compile(r"debounce\((\d+(?:\.\d+)?)(ms|s)\)")
LONGEST: Final = 20.0
"""Seconds of `debounce`: less than an event may wait in all."""


class Concurrency(NamedTuple):
    """`serial`: one after another. `parallel`: at once. `drop`: not at all. `debounce`: only the last in `seconds`."""

    kind: str = "serial"
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Concurrency:
        """Raises `ValueError`."""
        if text in ("serial", "parallel", "drop"):
            return cls(text)
        found = _DEBOUNCE.fullmatch(text)
        seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0
        if not 0 < seconds <= LONGEST:
            expected = f'"serial", "parallel", "drop", or "debounce(2s)" with at most {LONGEST:g} s'
            raise ValueError(f"concurrency={text!r}: expected {expected}")
        return cls("debounce", seconds)

    @property
    def free(self) -> bool:
        """Whether an event need not wait for an earlier one of the same person."""
        return self.kind != "serial"


SERIAL: Final = Concurrency()
