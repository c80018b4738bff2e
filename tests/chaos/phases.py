"""The phases of the run: each starts a stack of its own, lets bots talk, strikes, drains, and judges.

What "lost" means is in checker.py; what each phase allows is in its `Allowance`:

- a worker that dies or freezes costs nothing: no link breaks, every event is answered once, in order;
- an engine that dies or freezes costs nothing but time (at most `MOST_RECOVERY` s after it answers again);
- a nexus that is told to stop closes its links in order, so everything said before the bot's own Close is owed;
- a nexus that is killed loses what no lane has yet (unconfirmed), and sends that were under way end as unknown.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis
from tests.chaos.bots import Crowd
from tests.chaos.checker import Allowance, Verdict, check
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import Oracle, Style, read_starts
from tests.chaos.stack import TOKEN, Shape, Stack

MOST_RECOVERY = 5.0
MOST_STOPPING = 10.0
DRAINED_AFTER = 35.0
"""Longer than a lease with its adoption, and than the time after which an action expires."""
FREEZE = 14.0


def busy(rng: random.Random) -> Style:
    """Handlers that hold their slot for 20-50 ms; one in five sends before it is done."""

    def style(_number: int) -> str:
        return f"{'early' if rng.random() < 0.2 else 'buffered'} {rng.randint(20, 50)}"

    return style


@dataclass(frozen=True, slots=True)
class Phase(Shape):
    """One kind of trouble.

    `quick` and `full` say how many blows; `events` is the least that must be said in `full`. Bots say as much as they
    are allowed to, or `rate` events a second in all.
    """

    name: str
    promise: str
    strike: Callable[[Nemesis, Crowd, int], Awaitable[None]]
    quick: int
    full: int
    allowance: Allowance = field(default_factory=Allowance)
    events: int = 0
    style: Callable[[random.Random], Style] = busy
    bots: int = 8
    conversations: int = 12
    rate: float = 0.0


@dataclass(slots=True)
class Result:
    """How a phase went."""

    phase: str
    seed: int
    verdict: Verdict
    strikes: dict[str, int]
    seconds: float
    recovery: float | None = None
    kept: str = ""
    notes: dict[str, str] = field(default_factory=dict)


async def run(
    phase: Phase,
    *,
    full: bool,
    seed: int,
    defect: str = "",
    keep: Path | None = None,
    patience: float = DRAINED_AFTER,
) -> Result:
    """One phase from an empty Valkey to its verdict. With `keep`, the logs of a failed one are left there.

    `patience`: after so many seconds without a reply what is owed will not come.
    """
    rng = random.Random(f"{seed} {phase.name}")
    stack = await asyncio.to_thread(Stack, phase, defect=defect)
    oracle = Oracle()
    crowd = Crowd(oracle, rng, phase.style(rng), phase.bots, phase.conversations)
    nemesis = Nemesis(stack, rng)
    started = time.monotonic()
    verdict = Verdict()
    try:
        await stack.start()
        crowd.dial(stack.url, TOKEN)
        await crowd.all_online()
        crowd.chat(phase.rate) if phase.rate else crowd.speak()
        await asyncio.sleep(2)
        await phase.strike(nemesis, crowd, phase.full if full else phase.quick)
        while full and len(oracle.said) < phase.events:
            await asyncio.sleep(0.2)
        verdict = await judge(stack, crowd, phase.allowance, patience)
        _judge_times(nemesis, verdict)
        verdict.findings = +nemesis.findings
        for finding, count in verdict.findings.items():
            verdict.blame(f"{finding}: {count}")
    except (RuntimeError, TimeoutError, redis.RedisError, httpx.HTTPError) as error:
        verdict.blame(f"{type(error).__name__}: {error}")
    finally:
        await crowd.close()
        kept = _keep(stack, oracle, keep) if keep and verdict.problems else ""
        await stack.stop(keep=bool(kept))
    recovery = max(nemesis.recoveries, default=None)
    seconds = time.monotonic() - started
    return Result(phase.name, seed, verdict, nemesis.strikes, seconds, recovery, kept, nemesis.notes)


async def judge(stack: Stack, crowd: Crowd, allowance: Allowance, patience: float) -> Verdict:
    """Let the bots fall silent, wait until nothing is owed or nothing comes any more, and check."""
    crowd.hush()
    await _drained(stack, crowd, patience)
    await asyncio.sleep(1)  # a second reply, if there is one, is close behind the first
    books = await asyncio.to_thread(stack.books)
    oracle = crowd.oracle
    verdict = check(oracle, read_starts(stack.handled), books, allowance)
    for ended in stack.ended_by_themselves():
        verdict.blame(ended)
    return verdict


async def _drained(stack: Stack, crowd: Crowd, patience: float) -> None:
    """Until nothing is owed but what the hub knows to be unknown, expired or dead; or until nothing comes any more."""
    heard, since = 0, time.monotonic()
    while time.monotonic() - since < patience:
        books = await asyncio.to_thread(stack.books)
        if not books.waiting and crowd.oracle.waiting() <= books.unknown + books.expired + len(books.dead_numbers):
            return
        if len(crowd.oracle.replies) > heard:
            heard, since = len(crowd.oracle.replies), time.monotonic()
        await asyncio.sleep(0.25)


def _judge_times(nemesis: Nemesis, verdict: Verdict) -> None:
    slow = [seconds for seconds in nemesis.recoveries if seconds > MOST_RECOVERY]
    if slow:
        verdict.blame(f"{len(slow)} recoveries took longer than {MOST_RECOVERY:g} s, the worst {max(slow):.1f} s")
    stopping = [seconds for seconds in nemesis.stops if seconds > MOST_STOPPING]
    if stopping:
        verdict.blame(f"{len(stopping)} orderly stops took longer than {MOST_STOPPING:g} s")


def _keep(stack: Stack, oracle: Oracle, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    oracle.write(stack.folder / "oracle.jsonl")
    target = folder / stack.folder.name
    target.symlink_to(stack.folder)
    return str(target)
