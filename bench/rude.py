"""`python -m bench.rude`: what a plugin that does its worst costs another one that takes the same messages.

An echo plugin in the worker, 500 events a second from an event at the host until its answer leaves: alone, beside a
well-behaved plugin with a process of its own, and beside each of the hostile plugins of the tests, which get every
message too, for half a minute each: from its first message on, with the time limits it comes with, its crashes and what
is done about them. The worst of it, the first two seconds, is said too. Each is compared with what it was alone just
before and just after, as a machine is not the same for long. Without Redis: only the host is measured. Events during
which the host of a virtual machine took its processors away are left out everywhere, as they say nothing about plugins;
how many is printed. A turn that loses many of them that way is taken again after a rest, once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import uvloop
from tests.integration.plugins.children import write_isolated
from tests.integration.plugins.hostile import WORST

from bench.beat import beats
from bench.isolated import IN_PROCESS, RATE, bare_services, event_of
from bench.stolen import Thefts
from botmatrix.bus.envelope import ActionEntry
from botmatrix.embedded.process import calm_collector
from botmatrix.worker.outcome import Dead, Done
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source

BESIDE, ALONE = 30.0, 12.0
"""Seconds of a measurement beside another plugin, and alone."""
BEGINNING, FIRST = 0.5, 2.0
"""Seconds of its part that does not count, until the plugin is known to be slow; of what comes then."""
MOST = 1.2
"""Times the p99 alone just before and after, in the median of all hostile plugins."""
LEAST = 0.5
"""Of the events, in the median of all plugins: when the host of the machine left less, nothing is concluded."""
ENOUGH, REST = 0.8, 12
"""Of a turn's events, without a second try; seconds before it: hosts give more to who has asked for little."""
POLITE = "for m in messages(): reply(m, 'so it is')"


class Left:
    """When each event's answer left (s after it was due)."""

    def __init__(self) -> None:
        self.due: dict[str, float] = {}
        self.took: dict[str, float] = {}

    def note(self, event_id: str) -> None:
        """It left now, unless it had left before."""
        self.took.setdefault(event_id, time.perf_counter() - self.due[event_id])

    async def post(self, entry: ActionEntry) -> str:
        """An answer that leaves early."""
        self.note(entry.eid)
        return "QUEUED"

    def p99(self, thefts: Thefts) -> tuple[float, float, float]:
        """In ms, of what was due after the beginning and had the processors; of the first of it; which part that is."""
        events = sorted((self.due[event_id], took) for event_id, took in self.took.items())[int(RATE * BEGINNING) :]
        calm = [(due, took) for due, took in events if not thefts.between(due, due + took)]
        first = [took for due, took in calm if due < events[0][0] + FIRST]
        return _p99([took for _, took in calm]), _p99(first), len(calm) / len(events)


def _p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)] * 1000 if took else math.nan


class Measured(NamedTuple):
    """`p99`: ms, `first`: of the first two seconds; `counted`: the part of the events that they are of.

    `unanswered`: events without the echo's answer.
    """

    p99: float
    first: float
    counted: float
    unanswered: int


async def measure(echo: Source, other: Source | None) -> Measured:
    """One turn."""
    left, services = Left(), bare_services()
    services.post = left.post  # type: ignore[method-assign]
    host = Host(services, Isolation(services))
    await host.load(echo)
    if other is not None:
        await host.load(other)

    async def one(number: int, due: float) -> None:
        envelope, event = event_of(number)
        left.due[envelope.id] = due
        outcome = await host.handle(envelope, event)
        if isinstance(outcome, Done | Dead) and outcome.actions:
            left.note(envelope.id)

    with Thefts() as thefts:
        tasks: set[asyncio.Task[None]] = set()  # of what is under way: to keep all would cost the collector of garbage

        def begin(number: int, due: float) -> None:
            task = asyncio.create_task(one(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        count = int(RATE * (BESIDE if other else ALONE))
        await beats(count, RATE, begin)
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await host.close()
    return Measured(*left.p99(thefts), count - len(left.took))


async def undisturbed(echo: Source, other: Source | None) -> Measured:
    """One turn, or the better of two: of which more events count, whatever they show."""
    first = await measure(echo, other)
    if first.counted >= ENOUGH:
        return first
    await asyncio.sleep(REST)
    second = await measure(echo, other)
    unanswered = first.unanswered + second.unanswered
    return max(first, second, key=lambda each: each.counted)._replace(unanswered=unanswered)


async def run(folder: Path) -> bool:
    (folder / "echo.py").write_text(IN_PROCESS.replace('command("echo")', 'command("echo", block=False)'))
    echo = Source("file", "echo", folder / "echo.py")
    found = [("alone", await line("alone", echo, None))]
    for kind in turns():
        code, manifest = plugin(kind)
        found.append((kind, await line(kind, echo, write_isolated(folder, code, "other", **manifest))))
        found.append(("alone", await line("alone", echo, None)))
    unanswered = sum(each.unanswered for _, each in found)
    print(f"{unanswered} events without an answer")
    if median(each.counted for _, each in found) < LEAST:
        print("the host took the processors away during most of the events: says nothing")
        return False
    conclude("p99 of the first two seconds", [(name, each.first) for name, each in found])
    return conclude("p99", [(name, each.p99) for name, each in found]) <= MOST and not unanswered


def turns() -> list[str]:
    """The hostile plugins, and a polite one before every five of them."""
    return [name for place, kind in enumerate(WORST) for name in (["a polite one", kind] if place % 5 == 0 else [kind])]


def plugin(kind: str) -> tuple[str, dict[str, Any]]:
    """Its code, and what its manifest says besides."""
    return (POLITE, {}) if kind == "a polite one" else WORST[kind][:2]


def conclude(what: str, found: list[tuple[str, float]]) -> float:
    """Say the medians (`found`: name and ms, in order), and return the hostile plugins': times alone at that time."""
    kinds: dict[str, tuple[list[float], list[float]]] = {}
    for (name, ms), times in zip(found, times_alone(found), strict=True):
        every = kinds.setdefault(name if name in ("alone", "a polite one") else "hostile", ([], []))
        every[0].append(ms)
        every[1].append(times)
    said = (f"{kind} {median(all_ms):.2f} ms, x {median(times):.2f}" for kind, (all_ms, times) in kinds.items())
    print(f"{what}, medians, and times what it was alone just before and after (at most {MOST}): {'; '.join(said)}")
    return median(kinds["hostile"][1])


def times_alone(found: list[tuple[str, float]]) -> list[float]:
    """Each one's measure over the mean of those alone just before and after it; they stand alone, other, alone, ..."""
    ms = [one for _, one in found]
    return [1.0 if place % 2 == 0 else 2 * one / (ms[place - 1] + ms[place + 1]) for place, one in enumerate(ms)]


async def line(name: str, echo: Source, other: Source | None) -> Measured:
    """Measure one plugin and say it."""
    found = await undisturbed(echo, other)
    said = f"{name:24} p99 {found.p99:6.2f} ms, at first {found.first:6.2f}, of {found.counted:4.0%} of the events"
    print(f"{said}, {found.unanswered} without an answer", flush=True)
    return found


def main() -> None:
    logging.disable()
    calm_collector()  # as a worker does
    folder = Path(tempfile.mkdtemp(prefix="bm-bench-rude-"))
    try:
        sys.exit(0 if uvloop.run(run(folder)) else 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
