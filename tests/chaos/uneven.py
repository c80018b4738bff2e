"""One worker is ten times slower than the others for a while: who gets how much, then and afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.chaos.bots import Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import read_starts

MOST_FOR_THE_SLOW = 0.15
LEAST_AFTERWARDS = 0.20
"""A third would be even."""
SLICES = 4
"""In each of which every worker must get something."""
LEAST_CONVERSATIONS = 1_000
"""Conversations without which a share says little."""


async def slow_one_down(nemesis: Nemesis, crowd: Crowd, seconds: int) -> None:
    """`seconds` with a slow worker, then half as many without.

    Findings: `overloaded`, the slow one gets too much; `idle`, a worker gets nothing in a quarter of the time;
    `forgotten`, it gets too little in the second half of the time after it has recovered.
    """
    slow = nemesis.pick_worker("worker ten times slower")
    mark = nemesis.stack.slow(slow)
    mark.touch()
    slices = [await _handled_during(nemesis, seconds / SLICES) for _ in range(SLICES)]
    spoken = len({said.conversation for said in crowd.oracle.said.values()})
    mark.unlink()
    await asyncio.sleep(seconds / 4)
    after = await _handled_during(nemesis, seconds / 4)

    share, afterwards = _share(slow.name, sum(slices, Counter())), _share(slow.name, after)
    nemesis.notes = {
        "share of the slow worker": f"{share:.1%} of {sum(slices, Counter()).total():,}, in {spoken:,} conversations",
        "its share after it recovered": f"{afterwards:.1%} of {after.total():,}",
    }
    nemesis.findings["overloaded"] += share >= MOST_FOR_THE_SLOW
    nemesis.findings["forgotten"] += afterwards < LEAST_AFTERWARDS
    nemesis.findings["few conversations"] += spoken < LEAST_CONVERSATIONS
    names = [worker.name for worker in nemesis.stack.workers]
    nemesis.findings["idle"] += sum(name not in handled for handled in (*slices, after) for name in names)


async def _handled_during(nemesis: Nemesis, seconds: float) -> Counter[str]:
    """How many events each worker started to handle in the next `seconds`."""
    handled = nemesis.stack.handled
    before = len(await asyncio.to_thread(read_starts, handled))
    await asyncio.sleep(seconds)
    starts = (await asyncio.to_thread(read_starts, handled))[before:]
    return Counter(start.run.partition(".")[0] for start in starts)


def _share(worker: str, handled: Counter[str]) -> float:
    return handled[worker] / max(1, handled.total())
