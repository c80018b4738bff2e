"""The last refused handshakes, for whoever wonders why a client can't get in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

KEPT: Final = 200
KEPT_FOR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused upgrade. `at`: unix seconds. `target`: path and query, tokens masked."""

    at: float
    remote: str
    target: str
    self_id: str
    user_agent: str
    status: int
    reason: str
    cure: str


class Refusals:
    """At most 200 of them, of the last hour."""

    def __init__(self) -> None:
        self._kept: deque[Refusal] = deque(maxlen=KEPT)

    def add(self, refusal: Refusal) -> bool:
        """Keep it. False: this address was refused for the same reason within the last minute already."""
        known = any(
            other.remote.rpartition(":")[0] == refusal.remote.rpartition(":")[0]
            and other.reason == refusal.reason
            and refusal.at - other.at < 60
            for other in self._kept
        )
        self._kept.append(refusal)
        return not known

    def recent(self, now: float) -> list[Refusal]:
        """Those of the last hour, the newest first."""
        return [refusal for refusal in reversed(self._kept) if now - refusal.at < KEPT_FOR]
