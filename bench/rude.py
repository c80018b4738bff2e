"""`python -m bench.rude`: what a plugin that does its worst costs another one that takes the same messages.

An echo plugin in the worker, 500 events a second from an event at the host until its answer leaves: alone, beside a
well-behaved plugin with a process of its own, and beside each of the hostile plugins of the tests, which get every
message too. Medians of three turns. Without Redis: only the host is measured.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from tests.integration.plugins.children import write_isolated
from tests.integration.plugins.hostile import WORST

from bench.isolated import IN_PROCESS, RATE, bare_services, event_of
from botmatrix.bus.envelope import ActionEntry
from botmatrix.worker.outcome import Dead, Done
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source

SECONDS, BEGINNING = 2.5, 0.5
"""Of a measurement, and of its part that does not count: until the plugin is known to be slow."""
MOST = 1.2
"""Times the p99 without it, in the median of all hostile plugins."""
TURNS = 3
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

    def p99(self) -> float:
        """In ms, of what was due after the beginning."""
        took = sorted(list(self.took.values())[int(RATE * BEGINNING) :])
        return took[int(len(took) * 0.99)] * 1000


async def measure(echo: Source, hostile: Source | None) -> tuple[float, int]:
    """p99 in ms, and how many events had no answer of the echo plugin."""
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

    began, tasks = time.perf_counter() + 0.1, []
    for number in range(int(RATE * SECONDS)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, began + number / RATE)))
    await asyncio.wait(tasks, timeout=2)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await host.close()
    return left.p99(), len(tasks) - len(left.took)


async def turns(echo: Source, other: Source | None) -> tuple[float, int]:
    """The median p99, and how many events had no answer in all."""
    measured = [await measure(echo, other) for _ in range(TURNS)]
    return sorted(p99 for p99, _ in measured)[TURNS // 2], sum(without for _, without in measured)


async def run(folder: Path) -> bool:
    (folder / "echo.py").write_text(IN_PROCESS.replace('command("echo")', 'command("echo", block=False)'))
    echo = Source("file", "echo", folder / "echo.py")
    alone, _ = await turns(echo, None)
    print(f"{'alone':24} p99 {alone:6.2f} ms")
    polite, _ = await turns(echo, write_isolated(folder, POLITE, "polite"))
    print(f"{'a polite one':24} p99 {polite:6.2f} ms  x {polite / alone:4.2f}")
    found: list[float] = []
    unanswered = 0
    for kind, (code, manifest, _) in WORST.items():
        told: dict[str, Any] = {**manifest, "timeout_ms": min(manifest.get("timeout_ms", 1000), 1000)}
        p99, without = await turns(echo, write_isolated(folder, code, "hostile", **told))
        found.append(p99)
        unanswered += without
        print(f"{kind:24} p99 {p99:6.2f} ms  x {p99 / alone:4.2f}  {without} without an answer", flush=True)
    median = sorted(found)[len(found) // 2]
    print(
        f"median {median:.2f} ms: x {median / alone:.2f} of {MOST}, x {median / polite:.2f} of a polite one; "
        f"{unanswered} events without an answer"
    )
    return median <= MOST * alone and not unanswered


def main() -> None:
    logging.disable()
    gc.freeze()  # as a worker does
    folder = Path(tempfile.mkdtemp(prefix="bm-bench-rude-"))
    try:
        sys.exit(0 if uvloop.run(run(folder)) else 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
