"""What this worker counts of itself; read by its presence and its status."""

from __future__ import annotations

from botmatrix.worker.spread import Spread


class Tally:
    """Counters since the start, how many handlers run now, and lately taken times.

    `waiting`: from the nexus's receipt to the start of the handler; `handling`: in the handler; `response`: from the
    receipt until it was settled. What a nexus on another host received is timed by two clocks.
    """

    __slots__ = ("dead", "fenced", "handled", "handling", "in_flight", "response", "retried", "waiting")

    def __init__(self) -> None:
        self.in_flight = 0
        self.handled = 0
        self.dead = 0
        self.retried = 0
        self.fenced = 0
        self.handling = Spread()
        self.waiting = Spread()
        self.response = Spread()

    def times(self) -> dict[str, float]:
        """Means in ms, and the response time that 95 of 100 events did not exceed."""
        return {
            "response_ms": self.response.mean * 1000,
            "response_p95_ms": self.response.quantile(0.95) * 1000,
            "waiting_ms": self.waiting.mean * 1000,
            "handling_ms": self.handling.mean * 1000,
        }

    def as_fields(self) -> dict[str, str]:
        """The fields of the presence hash; times in ms."""
        return {
            "in_flight": str(self.in_flight),
            "handled": str(self.handled),
            "dead": str(self.dead),
            "retried": str(self.retried),
            "fenced": str(self.fenced),
            **{name: f"{ms:.3f}" for name, ms in self.times().items()},
        }
