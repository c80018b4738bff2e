"""What was confirmed a moment ago, in case Redis forgets it.

With `appendfsync everysec` Redis may answer before the append-only file has the command: while an fsync is under way
the write is put off. A `kill -9` of Redis in such a moment takes back the last of what it had confirmed. A nexus that
lived through it still has that, and sends it again; what its bots were sent in that time it does not send again.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

SECONDS = 3.0
"""Longer than an append to the file is put off."""
BYTES = 32 << 20
GENERATION = 16_384


class Numbered(Protocol):
    """A batch: its number and how many bytes of payload it has."""

    seq: int
    size: int


B = TypeVar("B", bound=Numbered)


class RecentBatches(Generic[B]):
    """Confirmed batches of the last seconds."""

    def __init__(self) -> None:
        self._batches: deque[tuple[float, B]] = deque()
        self._bytes = 0

    def keep(self, batch: B, now: float) -> None:
        """It was confirmed at `now` (monotonic s)."""
        batches = self._batches
        batches.append((now, batch))
        self._bytes += batch.size
        while batches[0][0] < now - SECONDS or self._bytes > BYTES:
            self._bytes -= batches.popleft()[1].size
            if not batches:
                return

    def take_after(self, seq: int) -> list[B]:
        """Those with a higher number than `seq`, in order; they are kept anew when they are confirmed again."""
        again = [batch for _, batch in self._batches if batch.seq > seq]
        self._batches.clear()
        self._bytes = 0
        return again


Result = tuple[str, int, str, bytes]


class RecentActions:
    """Actions that were written to a link lately, by id, with the result of those that somebody waits for.

    Two generations: when the young one is full it takes the old one's place, so nothing is ever deleted singly.
    """

    def __init__(self) -> None:
        self._young: dict[str, Result | None] = {}
        self._old: dict[str, Result | None] = {}

    def __contains__(self, aid: str) -> bool:
        return aid in self._young or aid in self._old

    def written(self, aid: str) -> None:
        """It is on its way to the bot: not a second time."""
        self._young[aid] = None
        if len(self._young) >= GENERATION:
            self._young, self._old = {}, self._young

    def ended(self, aid: str, result: Result) -> None:
        """Keep the result: state, retcode, message, data."""
        generation = self._young if aid in self._young else self._old
        if aid in generation:
            generation[aid] = result

    def result(self, aid: str) -> Result:
        """The result as far as it is known."""
        return self._young.get(aid) or self._old.get(aid) or ("UNKNOWN", 1401, "no answer yet", b"null")
