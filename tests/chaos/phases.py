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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.bots import Crowd, Style
from tests.chaos.checker import Allowance, Verdict, check
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import Oracle, read_starts
from tests.chaos.stack import TOKEN, Stack

MOST_RECOVERY = 5.0
MOST_STOPPING = 10.0
DRAINED_AFTER = 35.0
"""Without any reply for so long, what is owed will not come: longer than lease, adoption and an action's expiry."""
FREEZE = 14.0


@dataclass(frozen=True, slots=True)
class Phase:
    """One kind of trouble. `quick` and `full` say how many blows; `events` is the least that must be said in `full`."""

    name: str
    promise: str
    strike: Callable[[Nemesis, Crowd, int], Awaitable[None]]
    quick: int
    full: int
    allowance: Allowance = field(default_factory=Allowance)
    events: int = 0
    early: float = 0.2
    settings: Mapping[str, str] = field(default_factory=dict)


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


def busy(early: float, rng: random.Random) -> Style:
    """Handlers that hold their slot for 20-50 ms; a share of them sends before it is done."""

    def style(_number: int) -> str:
        return f"{'early' if rng.random() < early else 'buffered'} {rng.randint(20, 50)}"

    return style


async def run(phase: Phase, *, full: bool, seed: int, defect: str = "", keep: Path | None = None) -> Result:
    """One phase from an empty Valkey to its verdict. With `keep`, the logs of a failed one are left there."""
    rng = random.Random(f"{seed} {phase.name}")
    stack = Stack(workers=4, defect=defect, settings=phase.settings)
    oracle = Oracle()
    crowd = Crowd(oracle, rng, busy(phase.early, rng), bots=8, conversations=12)
    nemesis = Nemesis(stack, rng)
    started = time.monotonic()
    verdict = Verdict()
    try:
        await stack.start()
        crowd.dial(stack.url, TOKEN)
        await crowd.all_online()
        crowd.speak()
        await asyncio.sleep(2)
        await phase.strike(nemesis, crowd, phase.full if full else phase.quick)
        while full and len(oracle.said) < phase.events:
            await asyncio.sleep(0.2)
        verdict = await judge(stack, crowd, phase.allowance)
        _judge_times(nemesis, verdict)
    except (RuntimeError, TimeoutError) as error:
        verdict.blame(f"{type(error).__name__}: {error}")
    finally:
        await crowd.close()
        kept = _keep(stack, oracle, keep) if keep and verdict.problems else ""
        await stack.stop(keep=bool(kept))
    recovery = max(nemesis.recoveries, default=None)
    return Result(phase.name, seed, verdict, nemesis.strikes, time.monotonic() - started, recovery, kept)


async def judge(stack: Stack, crowd: Crowd, allowance: Allowance) -> Verdict:
    """Let the bots fall silent, wait until nothing is owed or nothing comes any more, and check."""
    crowd.hush()
    oracle = crowd.oracle
    await crowd.quiet_until(lambda: not oracle.waiting(), DRAINED_AFTER)
    books = await asyncio.to_thread(stack.books)
    deadline = time.monotonic() + DRAINED_AFTER
    while books.waiting and time.monotonic() < deadline:
        await asyncio.sleep(0.25)
        books = await asyncio.to_thread(stack.books)
    await asyncio.sleep(1)  # a second reply, if there is one, is close behind the first
    books = await asyncio.to_thread(stack.books)
    verdict = check(oracle, read_starts(stack.handled), books, allowance)
    for ended in stack.ended_by_themselves():
        verdict.blame(ended)
    return verdict


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


async def kill_workers(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Most are back at once under their id; one in eight stays away until another worker has adopted its lane."""

    async def at_once(count: int) -> None:
        for _ in range(count):
            await nemesis.kill_worker()
            await nemesis.pause(1.0, 3.0)

    async def for_long(count: int) -> None:
        for _ in range(count):
            await nemesis.kill_worker_for_long()
            await nemesis.pause(0.5, 2.0)

    long = max(1, times // 8)
    await asyncio.gather(at_once(times - long), for_long(long))


async def freeze_workers(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Longer than the lease; the frozen one wakes up in the middle of its handlers, and another has its lane."""
    for _ in range(times):
        await nemesis.freeze_worker(FREEZE)
        await nemesis.pause(1.0, 3.0)


async def stop_nexus(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    for _ in range(times):
        await nemesis.stop_nexus()
        await nemesis.pause(1.0, 3.0)


async def kill_nexus(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    for _ in range(times):
        await nemesis.kill_nexus()
        await nemesis.pause(1.0, 4.0)


async def kill_valkey(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """No part may be restarted; an event said once the engine answers again is the probe of recovery."""
    for _ in range(times):
        await probe(nemesis, crowd, await nemesis.kill_valkey())
        await nemesis.pause(1.0, 3.0)


async def freeze_valkey(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Longer than the time limit of a call."""
    for _ in range(times):
        await probe(nemesis, crowd, await nemesis.freeze_valkey(8.0))
        await nemesis.pause(1.0, 3.0)


async def probe(nemesis: Nemesis, crowd: Crowd, since: float) -> None:
    """Say one event and note how long after `since` its reply came."""
    bot = nemesis.rng.choice([bot for bot in crowd.bots if bot.online])
    number = bot.say(nemesis.rng.choice(bot.groups))
    await crowd.answered(number, DRAINED_AFTER)
    answered_at = crowd.oracle.said[number].answered_at or time.monotonic()
    nemesis.recoveries.append(answered_at - since)


PHASES = (
    Phase(
        "worker kill -9",
        "0 lost, 0 twice, 0 out of order",
        kill_workers,
        quick=8,
        full=200,
        events=30_000,
    ),
    Phase("worker SIGSTOP", "0 twice, the late one is fenced", freeze_workers, quick=1, full=20),
    Phase("valkey kill -9", "0 lost, recovery within 5 s, no restarts", kill_valkey, quick=3, full=50),
    Phase("valkey SIGSTOP", "0 lost, 0 twice", freeze_valkey, quick=1, full=5),
    Phase(
        "nexus SIGTERM",
        "0 accepted lost, ends within 10 s",
        stop_nexus,
        quick=4,
        full=100,
        allowance=Allowance(may_lose_sends=True, replies_in_order=False),
    ),
    Phase(
        "nexus kill -9",
        "0 confirmed lost",
        kill_nexus,
        quick=3,
        full=50,
        allowance=Allowance(may_cut=True, may_lose_sends=True, replies_in_order=False),
    ),
)
