"""`python -m bench.echo`: what an in-process plugin costs a worker, in us of CPU an event, above the floor.

A whole worker on a Valkey of its own. It reads a full lane, handles it, and settles it with one answer an event; by
turns with the plugin `echo`, and with a handler that answers without looking (the floor). The cheapest round of each
counts, which is the same on a busy machine.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.isolated import IN_PROCESS
from bench.parts import Valkey
from botmatrix.bus.client import Client
from botmatrix.bus.envelope import FIELD, ActionEntry, Envelope, encode
from botmatrix.bus.keys import Keys
from botmatrix.clock import SystemClock
from botmatrix.config import load
from botmatrix.embedded.process import calm_collector
from botmatrix.worker.drain import Drain
from botmatrix.worker.handler import Handler
from botmatrix.worker.incarnation import new_incarnation
from botmatrix.worker.links import Links
from botmatrix.worker.options import Options
from botmatrix.worker.outcome import Done, Outcome
from botmatrix.worker.plugins.blocked import blame
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.source import Source
from botmatrix.worker.report import Report
from botmatrix.worker.services import WorkerServices
from botmatrix.worker.tally import Tally
from botmatrix.worker.watchdog import Watchdog
from botmatrix.worker.worker import Worker

EVENTS, ROUNDS, PEOPLE = 4000, 5, 200
WORKER = "bench"
KEYS = Keys()
ANSWER = msgspec.Raw(b'{"message_type":"group","group_id":456,"message":[{"type":"text","data":{"text":"hello"}}]}')
_numbers = count(1)


class Floor:
    """Answers every event alike."""

    def serial_key(self, envelope: Envelope, event: dict[str, Any]) -> str:
        return f"{envelope.bot}|{envelope.conv}|{event.get('user_id', '')}"

    async def handle(self, envelope: Envelope, event: dict[str, Any]) -> Outcome:
        exp = int(time.time() * 1000) + 30_000
        return Done([ActionEntry(envelope.bot, envelope.id, "send_msg", ANSWER, exp, eid=envelope.id)])

    def expire(self, now: float) -> None:
        """Nothing runs for long."""


async def main() -> None:
    calm_collector()  # as a worker does
    with tempfile.TemporaryDirectory(prefix="bm-bench-echo-") as name:
        folder = Path(name)
        (folder / "echo.py").write_text(IN_PROCESS)
        valkey = Valkey(folder / "valkey")
        valkey.start_ready()
        try:
            best = {"floor": float("inf"), "echo": float("inf")}
            for _ in range(ROUNDS):
                for kind in best:
                    best[kind] = min(best[kind], await measure(valkey.url, folder, kind))
        finally:
            valkey.stop()
    above = best["echo"] - best["floor"]
    print(f"floor {best['floor']:.1f} us, echo {best['echo']:.1f} us: {above:.1f} us above it (promised 60, aim 25)")


async def measure(url: str, folder: Path, kind: str) -> float:
    """us of this process's CPU for each event of a full lane."""
    client = Client(url, name="bench")
    await client.call("FLUSHALL")
    await fill(client)
    async with worker(url, folder, kind) as (built, stop):
        started = time.process_time()
        running = asyncio.create_task(built.run(stop))
        while await client.call("XLEN", KEYS.lane(WORKER)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        used = time.process_time() - started
        stop.set()
        await running
    await client.close()
    return used / EVENTS * 1e6


async def fill(client: Client) -> None:
    """A lane with events of people who all say `/echo hello`."""
    commands = [("XADD", KEYS.lane(WORKER), "*", FIELD, encode(said(n))) for n in range(EVENTS)]
    for start in range(0, EVENTS, 500):
        await client.pipeline(*commands[start : start + 500])


def said(number: int) -> Envelope:
    user = 1000 + number % PEOPLE
    event = {
        **{"time": 1_700_000_000, "self_id": 10001, "post_type": "message", "message_type": "group"},
        **{"sub_type": "normal", "message_id": number, "group_id": 456, "user_id": user, "raw_message": "/echo hello"},
        **{"message": [{"type": "text", "data": {"text": "/echo hello"}}]},
        **{"sender": {"user_id": user, "nickname": "somebody", "role": "member"}},
    }
    body = msgspec.Raw(json.dumps(event).encode())
    return Envelope(f"{next(_numbers):024x}", "qq:10001", "group:456", "n.0", 1, int(time.time() * 1000), body)


@asynccontextmanager
async def worker(url: str, folder: Path, kind: str) -> AsyncIterator[tuple[Worker, asyncio.Event]]:
    """One that has not started yet."""
    inc, clock, options = new_incarnation(WORKER), SystemClock(), Options(worker_id=WORKER)
    links = Links(url, KEYS, inc, clock)
    report = Report(inc, options, Tally(), Drain())
    services = WorkerServices(load(folder, {"redis_url": url, "worker_id": WORKER}, {}), clock, links, report.status)
    host = Host(services)
    await host.load(Source("file", "echo", folder / "echo.py"))
    handler: Handler = Floor() if kind == "floor" else host
    try:
        yield Worker(url, inc, options, handler, report, Watchdog(blame)), asyncio.Event()
    finally:
        await host.close()
        await links.close()
        await services.close()


if __name__ == "__main__":
    uvloop.run(main())
