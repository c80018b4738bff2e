"""How slow this machine is just now, for the few tests that tell work that ends soon from work that does not."""

from __future__ import annotations

import time

REFERENCE = 0.015
"""Seconds of the processor that the piece of work below takes where the limits were set."""


def slowness() -> float:
    """How many times as long it takes now, the best of three; 1 at least. Limits of tests are multiplied by it."""
    return max(1.0, min(_seconds() for _ in range(3)) / REFERENCE)


def _seconds() -> float:
    began = time.process_time()
    sum(number * number for number in range(200_000))
    return time.process_time() - began
