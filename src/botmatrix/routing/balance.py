"""Who is best: power of two choices on response time and load.

Two candidates are drawn at random and the one with the lower `response time x (in flight + 1)` is taken: nearly as
good as knowing everything, and no herd runs to the same worker. One that only fails is left out for a while: failing is
quick, so it would look like the best of all. One that always loses is tried now and then: else nobody would notice that
it recovered. Pure: randomness and time are passed in.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

HALF_LIFE = 30.0
"""Seconds after which an observed response time counts half."""
TRIED_AFTER = 32
"""Draws that a worker with nothing under way loses before it wins one."""
FAILURES = 8
"""Events in a row that a worker gives up before its circuit opens."""
SHORTEST, LONGEST = 5.0, 60.0
"""Seconds for which a circuit is open: at first, and at most; doubled by each trial that fails."""
TRIAL = 10.0
"""Seconds after which a trial that nobody heard of is made again."""


class Load:
    """What one nexus knows of a worker: its mean response time (s) and how many of its events are under way."""

    __slots__ = ("_at", "_circuit", "_heard", "_lost", "_prior", "_silent", "ewma", "in_flight")

    def __init__(self, now: float, ewma: float = 0.0) -> None:
        self.ewma = ewma
        self.in_flight = 0
        self._at = self._heard = now
        self._prior = self._silent = 0.0
        self._lost = 0
        self._circuit = Circuit()

    def sent(self, count: int, now: float) -> None:
        """Events are on its lane."""
        if not self.in_flight:
            self._heard = now
        self.in_flight += count

    def settled(self, count: int, dead: int, seconds: float, now: float) -> None:
        """It settled `count` events, `seconds` after they came (on average); `dead` of them it gave up."""
        self.in_flight = max(0, self.in_flight - count)
        self._heard, self._silent = now, 0.0
        if dead < count:
            self._circuit.close()
            self._observe(seconds, now)
        else:
            self._circuit.failed(dead, now)

    def look(self, length: int, mean: float, now: float) -> None:
        """Once a second: how many entries its lane has, and the mean response time of its pool.

        Notices may get lost: the lane's length is the upper bound of what is under way. Unheard for a while it drifts
        towards the mean, so that one that was slow is tried again. One that says nothing though events are under way is
        as slow as that silence is long.
        """
        self.in_flight = min(self.in_flight, length)
        self._prior = mean
        self._silent = now - self._heard if self.in_flight else 0.0
        if self.ewma and not self.in_flight:
            keep = _half(now - self._at)
            self.ewma = self.ewma * keep + mean * (1 - keep)
            self._at = now

    def is_left_out(self, now: float) -> bool:
        """Whether its circuit is open, because all it did lately was to fail."""
        return self._circuit.is_open(now)

    def chosen(self, now: float) -> None:
        """It gets a conversation."""
        self._lost = 0
        self._circuit.chosen(now)

    def lost(self) -> None:
        """Another one was better."""
        self._lost += 1

    @property
    def score(self) -> float:
        """Expected wait of one more event; lower is better. Who was never heard of is taken for one of the pool."""
        if self._lost >= TRIED_AFTER and not self.in_flight:
            return 0.0
        return (max(self.ewma or self._prior, self._silent) or 1e-6) * (self.in_flight + 1)

    def _observe(self, seconds: float, now: float) -> None:
        # An observation replaces at least a fifth, and more after silence.
        keep = min(0.8, _half(now - self._at))
        self.ewma = seconds if self.ewma == 0.0 else self.ewma * keep + seconds * (1 - keep)
        self._at = now


class Circuit:
    """Open while a worker that only failed is left out. Then one conversation is the trial: closed, or open again."""

    __slots__ = ("_failures", "_open_for", "_trying", "_until")

    def __init__(self) -> None:
        self._failures = 0
        self._open_for = SHORTEST
        self._until = 0.0
        self._trying = False

    def is_open(self, now: float) -> bool:
        """Whether nothing new should go there."""
        return now < self._until

    def chosen(self, now: float) -> None:
        """Something new goes there: after failures nothing else does until its end is known."""
        if self._failures >= FAILURES and not self.is_open(now):
            self._until, self._trying = now + TRIAL, True

    def failed(self, count: int, now: float) -> None:
        """Events were given up, and none was handled."""
        self._failures += count
        if self._failures >= FAILURES and (self._trying or not self.is_open(now)):
            self._until, self._trying = now + self._open_for, False
            self._open_for = min(2 * self._open_for, LONGEST)

    def close(self) -> None:
        """An event was handled."""
        self._failures, self._until, self._open_for, self._trying = 0, 0.0, SHORTEST, False


def pick(candidates: Sequence[str], loads: Mapping[str, Load], rng: random.Random, now: float) -> str:
    """The better of two drawn at random; those left out only when there is nobody else. `candidates`: not empty."""
    best = _better(candidates, loads, rng)
    if loads[best].is_left_out(now):
        fit = [lane for lane in candidates if not loads[lane].is_left_out(now)]
        best = _better(fit, loads, rng) if fit else best
    loads[best].chosen(now)
    return best


def _better(candidates: Sequence[str], loads: Mapping[str, Load], rng: random.Random) -> str:
    if len(candidates) == 1:
        return candidates[0]
    best, other = rng.sample(candidates, 2)
    if loads[best].score > loads[other].score:
        best, other = other, best
    loads[other].lost()
    return best


def _half(seconds: float) -> float:
    """How much of something is left after so long."""
    return float(0.5 ** (seconds / HALF_LIFE))
