"""One worker is ten times slower than the others for a while: who is given how much, then and afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.chaos.bots import Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import read_starts

MOST_FOR_THE_SLOW = 0.15
LEAST_AFTERWARDS = 0.20
"""A third would be even."""
LEAST_CONVERSATIONS = 1_000
"""With fewer a share says little."""
SLICES = 4
"""In each of which every worker must be given something."""
ANSWERED_WITHIN = 30.0


async def slow_one_down(nemesis: Nemesis, crowd: Crowd, seconds: int) -> None:
    """`seconds` with a slow worker, then half as many without.

    What counts is who was given an event, whenever it came to handling it. Findings: `overloaded`, the slow one was
    given too much; `idle`, a worker was given nothing in a quarter of the time; `forgotten`, the slow one was given too
    little in the second half of the time after it has recovered.
    """
    slow = nemesis.pick_worker("worker ten times slower")
    nemesis.stack.slow(slow).touch()
    slices = [await _said_within(crowd, seconds / SLICES) for _ in range(SLICES)]
    nemesis.stack.slow(slow).unlink()
    await asyncio.sleep(seconds / 4)
    slices.append(await _said_within(crowd, seconds / 4))
    crowd.hush()
    await crowd.quiet_until(lambda: not crowd.oracle.waiting(), ANSWERED_WITHIN)
    starts = await asyncio.to_thread(read_starts, nemesis.stack.handled)
    worker_of = {start.number: start.run.partition(".")[0] for start in starts}
    *given, afterwards = (Counter(worker_of.get(number, "nobody") for number in numbers) for numbers in slices)
    conversations = len({crowd.oracle.said[number].conversation for numbers in slices[:-1] for number in numbers})
    _judge(nemesis, slow.name, given, afterwards)
    nemesis.notes["conversations meanwhile"] = f"{conversations:,}"
    nemesis.findings["few conversations"] += conversations < LEAST_CONVERSATIONS


async def _said_within(crowd: Crowd, seconds: float) -> range:
    """The numbers of the events that are said in the next `seconds`."""
    first = len(crowd.oracle.said) + 1
    await asyncio.sleep(seconds)
    return range(first, len(crowd.oracle.said) + 1)


def _judge(nemesis: Nemesis, slow: str, given: list[Counter[str]], afterwards: Counter[str]) -> None:
    total: Counter[str] = sum(given, Counter())
    share, later = total[slow] / total.total(), afterwards[slow] / afterwards.total()
    nemesis.notes["share of the slow worker"] = f"{share:.1%} of {total.total():,}"
    nemesis.notes["its share after it recovered"] = f"{later:.1%} of {afterwards.total():,}"
    nemesis.findings["overloaded"] += share >= MOST_FOR_THE_SLOW
    nemesis.findings["forgotten"] += later < LEAST_AFTERWARDS
    names = [worker.name for worker in nemesis.stack.workers]
    nemesis.findings["idle"] += sum(name not in counts for counts in (*given, afterwards) for name in names)
