"""What this worker counts of itself; read by its presence and its status."""

from __future__ import annotations

_WEIGHT = 1 / 64


class Tally:
    """Counters since the start, how many handlers run now, and sliding means (s): handling, and waiting before it."""

    __slots__ = ("dead", "fenced", "handled", "handling", "in_flight", "retried", "waiting")

    def __init__(self) -> None:
        self.in_flight = 0
        self.handled = 0
        self.dead = 0
        self.retried = 0
        self.fenced = 0
        self.handling = 0.0
        self.waiting = 0.0

    def time(self, handling: float, waiting: float) -> None:
        """One event took `handling` s in its handler after `waiting` s since it was received."""
        self.handling += (handling - self.handling) * _WEIGHT
        self.waiting += (waiting - self.waiting) * _WEIGHT

    def as_fields(self) -> dict[str, str]:
        """The fields of the presence hash; times in ms."""
        return {
            "in_flight": str(self.in_flight),
            "handled": str(self.handled),
            "dead": str(self.dead),
            "retried": str(self.retried),
            "fenced": str(self.fenced),
            "handling_ms": f"{self.handling * 1000:.3f}",
            "waiting_ms": f"{self.waiting * 1000:.3f}",
        }
