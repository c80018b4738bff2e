"""What the host of a virtual machine takes away from it, so that it is not mistaken for what is measured."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from pathlib import Path

EVERY = 0.005
"""Seconds between two looks."""
AROUND = 0.02
"""Seconds around a theft that are not counted either: the kernel books it late."""


def stolen() -> int:
    """Clock ticks of this machine's processors that its host gave to others, so far."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8])


class Thefts:
    """Notes when the host takes something, from a thread of its own. Times are `time.perf_counter()`."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Thefts:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, began: float, ended: float) -> bool:
        """Whether something was taken from then to then, or close to it."""
        return bisect_left(self._at, began - AROUND) < bisect_right(self._at, ended + AROUND)

    def _watch(self) -> None:
        before = stolen()
        while not self._ended.wait(EVERY):
            now = stolen()
            if now > before:
                self._at.append(time.perf_counter())
            before = now
