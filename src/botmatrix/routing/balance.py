"""Who is best: power of two choices on response time and load.

Two candidates are drawn at random and the one with the lower `ewma x (in flight + 1)` is taken: nearly as good as
knowing everything, and no herd runs to the same worker. Pure: randomness and time are passed in.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

HALF_LIFE = 30.0
"""Seconds after which an observed response time counts half."""


class Load:
    """What one nexus knows of a worker: its mean response time (s) and how many of its events are under way."""

    __slots__ = ("_at", "ewma", "in_flight")

    def __init__(self, now: float, ewma: float = 0.0) -> None:
        self.ewma = ewma
        self.in_flight = 0
        self._at = now

    def observe(self, seconds: float, now: float) -> None:
        """A response took `seconds`."""
        keep = self._keep(now)
        self.ewma = seconds if self.ewma == 0.0 else self.ewma * keep + seconds * (1 - keep)
        self._at = now

    def relax(self, mean: float, now: float) -> None:
        """Unheard for a while: drift towards the pool's mean, so that a worker that was slow is tried again."""
        keep = 0.5 ** ((now - self._at) / HALF_LIFE)
        self.ewma = self.ewma * keep + mean * (1 - keep)
        self._at = now

    @property
    def score(self) -> float:
        """Expected wait of one more event; lower is better. A worker never heard of is tried first."""
        return self.ewma * (self.in_flight + 1) if self.ewma else self.in_flight * 1e-6

    def _keep(self, now: float) -> float:
        # An observation replaces at most a fifth at once, and more after silence.
        return min(0.8, float(0.5 ** ((now - self._at) / HALF_LIFE)))


def pick(candidates: Sequence[str], loads: dict[str, Load], rng: random.Random) -> str:
    """The better of two drawn at random. `candidates` must not be empty."""
    if len(candidates) == 1:
        return candidates[0]
    first, second = rng.sample(candidates, 2)
    return first if loads[first].score <= loads[second].score else second
