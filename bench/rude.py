"""`python -m bench.rude`: what a plugin that does its worst costs another one that takes the same messages.

An echo plugin in the worker, 500 events a second from an event at the host until its answer leaves: alone, beside a
well-behaved plugin with a process of its own, and beside each of the hostile plugins of the tests, which get every
message too. Medians of three turns. Without Redis: only the host is measured. Events during which the host of a virtual
machine took its processors away are left out everywhere, as they say nothing about plugins; how many is printed. A turn
that loses many of them that way is taken again after a rest, once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
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

SECONDS, BEGINNING = 2.5, 0.5
"""Of a measurement, and of its part that does not count: until the plugin is known to be slow."""
MOST = 1.2
"""Times the p99 without it, in the median of all hostile plugins."""
LEAST = 0.5
"""Of the events, in the median of all plugins: when the host of the machine left less, nothing is concluded."""
TURNS = 3
ENOUGH, REST = 0.9, 12
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

    def p99(self, thefts: Thefts) -> tuple[float, float]:
        """In ms, of what was due after the beginning and had the processors; and which part that is."""
        counted = [(self.due[event_id], took) for event_id, took in self.took.items()][int(RATE * BEGINNING) :]
        calm = sorted(took for due, took in counted if not thefts.between(due, due + took))
        return calm[int(len(calm) * 0.99)] * 1000 if calm else math.nan, len(calm) / len(counted)


class Measured(NamedTuple):
    """`p99`: ms; `counted`: the part of the events that it is of; `unanswered`: events without the echo's answer."""

    p99: float
    counted: float
    unanswered: int


async def measure(echo: Source, hostile: Source | None) -> Measured:
    """One turn."""
    left, services = Left(), bare_services()
    services.post = left.post  # type: ignore[method-assign]
    host = Host(services, Isolation(services))
    await host.load(echo)
    if hostile is not None:
        await host.load(hostile)

    async def one(number: int, due: float) -> None:
        envelope, event = event_of(number)
        left.due[envelope.id] = due
        outcome = await host.handle(envelope, event)
        if isinstance(outcome, Done | Dead) and outcome.actions:
            left.note(envelope.id)

    with Thefts() as thefts:
        tasks: list[asyncio.Task[None]] = []
        await beats(int(RATE * SECONDS), RATE, lambda number, due: tasks.append(asyncio.create_task(one(number, due))))
        await asyncio.wait(tasks, timeout=2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await host.close()
    return Measured(*left.p99(thefts), len(tasks) - len(left.took))


async def turns(echo: Source, other: Source | None) -> Measured:
    """The medians, and how many events had no answer in all."""
    measured = [await undisturbed(echo, other) for _ in range(TURNS)]
    p99, counted = (statistics.median(each[place] for each in measured) for place in (0, 1))
    return Measured(p99, counted, sum(each.unanswered for each in measured))


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
    alone = await line("alone", echo, None)
    polite = await line("a polite one", echo, write_isolated(folder, POLITE, "polite"))
    found: list[Measured] = []
    for kind, (code, manifest, _) in WORST.items():
        told: dict[str, Any] = {**manifest, "timeout_ms": min(manifest.get("timeout_ms", 1000), 1000)}
        found.append(await line(kind, echo, write_isolated(folder, code, "hostile", **told)))
    again = await line("alone", echo, None)
    unanswered, counted = sum(each.unanswered for each in found), [each.counted for each in (alone, *found, again)]
    if statistics.median(counted) < LEAST:
        print(
            f"the host took the processors away during most of the events: says nothing; {unanswered} without an answer"
        )
        return False
    reference, median = (alone.p99 + again.p99) / 2, statistics.median(each.p99 for each in found if each.counted)
    print(
        f"median {median:.2f} ms: x {median / reference:.2f} of {MOST}, x {median / polite.p99:.2f} of a polite one; "
        f"{unanswered} events without an answer"
    )
    return median <= MOST * reference and not unanswered


async def line(name: str, echo: Source, other: Source | None) -> Measured:
    """Measure one plugin and say it."""
    found = await turns(echo, other)
    said = f"{name:24} p99 {found.p99:6.2f} ms of {found.counted:4.0%} of the events"
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
