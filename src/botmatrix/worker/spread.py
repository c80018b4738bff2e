"""How long things take: a mean and quantiles from counts of fixed size, whatever happens."""

from __future__ import annotations

from math import log2
from typing import Final

WINDOW: Final = 60.0
"""Seconds: figures are of the last one or two of these in which anything was observed."""
PER_SECOND: Final = 10_000
"""Buckets are logarithmic in tenths of a millisecond, plus one so that 0 has one."""
STEPS: Final = 4
"""Buckets per doubling of the time: a quantile of some milliseconds or more is off by 10 % at most."""
BUCKETS: Final = 24 * STEPS
"""Up to 28 minutes; what took longer counts in the last."""


class Spread:
    """Durations (s) that were observed lately. Costs half a us an observation and 1.5 kB in all.

    Two generations of counts: when the young one is a window old it takes the old one's place.
    """

    __slots__ = ("_began", "_count", "_old", "_old_count", "_old_sum", "_sum", "_young")

    def __init__(self) -> None:
        self._young, self._old = [0] * BUCKETS, [0] * BUCKETS
        self._sum = self._old_sum = 0.0
        self._count = self._old_count = 0
        self._began = 0.0

    def observe(self, seconds: float, now: float) -> None:
        """Something took `seconds`; `now` (s) is any clock, always the same one."""
        if now - self._began >= WINDOW:
            self._turn(now)
        bucket = int(log2(seconds * PER_SECOND + 1) * STEPS)
        self._young[bucket if bucket < BUCKETS else -1] += 1
        self._sum += seconds
        self._count += 1

    @property
    def mean(self) -> float:
        """Seconds; 0 when nothing was observed yet."""
        count = self._count + self._old_count
        return (self._sum + self._old_sum) / count if count else 0.0

    def quantile(self, share: float) -> float:
        """Seconds that `share` of the observations did not exceed; 0 when there was none."""
        left = share * (self._count + self._old_count)
        if not left:
            return 0.0
        bucket = -1
        while left > 0:
            bucket += 1
            left -= self._young[bucket] + self._old[bucket]
        return (float(2 ** ((bucket + 0.5) / STEPS)) - 1) / PER_SECOND

    def _turn(self, now: float) -> None:
        self._old, self._old_sum, self._old_count = self._young, self._sum, self._count
        self._young, self._sum, self._count = [0] * BUCKETS, 0.0, 0
        self._began = now
