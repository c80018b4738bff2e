"""`python -m bench.path`: what each feature adds to an event inside the nexus, in us of CPU, in one process.

A whole nexus on a Valkey of its own for each set of features; events are put into its router in batches, by turns, and
the cheapest batch counts, which is the same on a busy machine. `routed`: judged, limited, routed, given an envelope;
`confirmed`: and sent to Redis, until Redis has confirmed it, with its trace: as many events are traced as in a nexus
that has 2,000 a second.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.frames import Slot
from bench.furnish import FEATURES, furnish
from bench.parts import Valkey
from botmatrix import log
from botmatrix.bus import trace
from botmatrix.config import load
from botmatrix.nexus.app import Nexus
from botmatrix.nexus.tracer import ROWS
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session

BATCH, ROUNDS, RATE = 500, 25, 2000
FIRST_BOT, BOTS, SLOTS = 3_000_000_001, 20, 8


class Subject:
    """One nexus with some features; `routed` and `confirmed` are its cheapest batches, us per event."""

    def __init__(self, nexus: Nexus, *, traced: bool) -> None:
        self._rows = ROWS * BATCH / RATE if traced else float("-inf")
        self.routed = self.confirmed = float("inf")
        self._nexus = nexus
        self._slots = [
            (FIRST_BOT + n, Slot(FIRST_BOT + n, 700_000_000 + s, 10_000 + s)) for n in range(BOTS) for s in range(SLOTS)
        ]
        self._numbers = count(time.time_ns() // 1000 % 10**12)
        for number in range(BOTS):
            nexus.hub.bot("qq", str(FIRST_BOT + number)).epoch = 1

    async def round(self) -> None:
        """One batch."""
        handle, bots = self._nexus.router.handle, self._nexus.hub.bots
        events = [self._event(number) for number in range(BATCH)]
        tracer = self._nexus.tracer
        tracer._full = tracer._level = self._rows
        tracer._reserve = 0.0
        started = time.process_time()
        for event in events:
            handle(bots["qq:" + event.self_id], event)
        routed = time.process_time()
        await self._nexus.ingest.drained()
        await tracer._log.flush()
        self.routed = min(self.routed, (routed - started) / BATCH * 1e6)
        self.confirmed = min(self.confirmed, (time.process_time() - started) / BATCH * 1e6)

    def _event(self, number: int) -> Event:
        bot, slot = self._slots[number % len(self._slots)]
        event = Session(str(bot), "x").receive(slot.event(next(self._numbers)))
        assert isinstance(event, Event)
        return event


async def subject(features: tuple[str, ...], folder: Path, stack: AsyncExitStack) -> Subject:
    """Start a Valkey and a nexus on it."""
    valkey = Valkey(folder / "valkey")
    valkey.start_ready()
    stack.callback(valkey.kill)
    furnish(valkey, features)
    home = folder / "home"
    home.mkdir(mode=0o700)
    flags = {"redis_url": valkey.url, "nexus_id": "bench", "ws_port": 0, "bot_token": "bench", "log_level": "error"}
    nexus = Nexus(load(home, flags, {}))
    await nexus.start()
    stack.push_async_callback(nexus.stop)
    return Subject(nexus, traced="trace" in features)


async def measure(sets: list[tuple[str, ...]]) -> dict[tuple[str, ...], Subject]:
    """All sets, by turns."""
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bm-bench-")))
        subjects = {one: await subject(one, _made(root / str(n)), stack) for n, one in enumerate(sets)}
        for _ in range(ROUNDS):
            for one in subjects.values():
                await one.round()
        return subjects


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main() -> None:
    log.configure(part="bench", level="error")
    setattr(trace, "EVERY", 3600.0)  # noqa: B010 - a constant of the product: here the trace leaves when told to
    sets = [(), *((name,) for name in FEATURES), tuple(FEATURES)]
    subjects = asyncio.run(measure(sets))
    nothing = subjects[()]
    table = Table("features", "routed", "added", "confirmed", "added", title="CPU us per event in the nexus")
    for features, one in subjects.items():
        added = one.routed - nothing.routed, one.confirmed - nothing.confirmed
        cells = (f"{one.routed:.1f}", f"{added[0]:+.1f}", f"{one.confirmed:.1f}", f"{added[1]:+.1f}")
        table.add_row(" ".join(features) or "nothing", *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
