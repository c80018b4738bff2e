"""One who watches the live view: what waits for them, bounded, and how much they missed."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any, Final, NamedTuple

MOST_WAITING: Final = 40
"""Batches that wait for a slow viewer, two seconds of a busy matrix; then the oldest are left out."""
_PRIVATE: Final = frozenset({"text", "words"})


class Hops(NamedTuple):
    """One batch: the parts that were reported, and how many more there were. `entry`: the last one of the stream."""

    entry: str
    hops: list[dict[str, Any]]
    left_out: int


class Viewer:
    """The queue of one viewer. `reads`: whether they may see what people say."""

    def __init__(self, *, reads: bool) -> None:
        self._reads = reads
        self._waiting: deque[Hops] = deque()
        self._states: dict[str, Any] = {}
        self._missed = 0
        self._wake = asyncio.Event()
        self.ended = False

    def offer(self, batch: Hops) -> None:
        """A batch of hops."""
        if len(self._waiting) >= MOST_WAITING:
            lost = self._waiting.popleft()
            self._missed += len(lost.hops) + lost.left_out
        self._waiting.append(batch)
        self._wake.set()

    def tell(self, name: str, state: Any) -> None:
        """How something stands now; takes the place of what it was."""
        self._states[name] = state
        self._wake.set()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._wake.set()

    async def next(self, seconds: float) -> str:
        """What is new, as server-sent events; empty when nothing came in that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return ""
        self._wake.clear()
        states, self._states = self._states, {}
        batches, self._waiting = self._waiting, deque()
        told = [event(name, state) for name, state in states.items()]
        return "".join([*told, *(self.shown(batch) for batch in batches)])

    def shown(self, batch: Hops) -> str:
        """A batch as this viewer may see it."""
        left_out, self._missed = batch.left_out + self._missed, 0
        hops = batch.hops if self._reads else [_without_words(hop) for hop in batch.hops]
        blocked = [hop for hop in hops if hop.get("reason") and hop.get("part") == "heard"]
        return event("hops", {"hops": hops, "blocked": blocked, "left_out": left_out}, batch.entry)


def event(name: str, data: Any, entry: str = "") -> str:
    """One server-sent event."""
    head = f"id: {entry}\n" if entry else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _without_words(hop: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in hop.items() if name not in _PRIVATE}
