"""One measurement of one contestant: start it, run the load generator against it, read the meters."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from bench.cases import TOKEN, Case
from bench.parts import Part, wait_listening

LINE_LIMIT = 1 << 20


@dataclass(slots=True)
class Figures:
    """What was measured of one contestant. Times as the names say; None: not measured."""

    name: str
    rate: float | None = None  # round trips a second at saturation
    cpu_us: dict[str, float] = field(default_factory=dict)  # per round trip, of each process
    p50_ms: float | None = None
    p99_ms: float | None = None
    p99_runs: list[float] = field(default_factory=list)
    missing: int = 0  # events of the open loop without a reply
    rss_kib: float | None = None  # per idle bot
    first_s: float | None = None  # many bots online for the first time
    back_s: float | None = None  # and again, after SIGTERM of the nexus and a start
    note: str = ""
    turns: list[tuple[float, dict[str, float]]] = field(default_factory=list)  # rate and CPU of each saturation run
    p50_runs: list[float] = field(default_factory=list)

    def add_saturation(self, rate: float, cpu_us: dict[str, float]) -> None:
        """One more turn: the one with the median rate stands for all."""
        self.turns.append((rate, cpu_us))
        in_order = sorted(self.turns, key=lambda turn: turn[0])
        self.rate, self.cpu_us = in_order[len(in_order) // 2]

    def add_steady(self, result: dict[str, Any]) -> None:
        """One more open loop run: p50 and p99 are medians of all."""
        self.p50_runs.append(result["p50_ms"])
        self.p99_runs.append(result["p99_ms"])
        self.p50_ms, self.p99_ms = statistics.median(self.p50_runs), statistics.median(self.p99_runs)
        self.missing += result["missing"]


class Load:
    """A running load generator, read line by line."""

    def __init__(self, kind: str, case: Case, **options: float) -> None:
        self._argv = [sys.executable, "-m", "bench.load", kind, "--url", case.url, "--token", TOKEN]
        for name, value in options.items():
            self._argv += [f"--{name}", str(value)]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Load:
        self._process = await asyncio.create_subprocess_exec(
            *self._argv, stdout=asyncio.subprocess.PIPE, limit=LINE_LIMIT
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """What it says, until it ends. Raises `RuntimeError` when it failed."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)
        if await self._process.wait() != 0:
            raise RuntimeError("the load generator failed")


async def metered(case: Case, kind: str, **options: float) -> tuple[dict[str, Any], dict[str, float]]:
    """What the load generator found, and CPU seconds of each process between its marks."""
    load = Load(kind, case, **options)
    meters: list[dict[str, float]] = []
    result: dict[str, Any] = {}
    async with load:
        async for line in load.lines():
            if "mark" in line:
                meters.append({part.name: part.cpu() for part in case.parts} | {"bots": line["cpu"]})
            else:
                result = line["result"]
    begin, end = meters
    return result, {name: end[name] - begin[name] for name in end}


async def saturate(case: Case, seconds: float, bots: int, outstanding: int) -> tuple[float, dict[str, float]]:
    """Round trips a second in a closed loop, and CPU us of each process per round trip."""
    result, cpu = await metered(case, "saturate", seconds=seconds, bots=bots, outstanding=outstanding)
    done = max(1, result["round_trips"])
    return result["rate"], {name: used * 1e6 / done for name, used in cpu.items()}


async def steady(case: Case, rate: float, seconds: float, bots: int) -> dict[str, Any]:
    """Latency at a fixed rate: `p50_ms p99_ms max_ms sent missing`."""
    load = Load("steady", case, seconds=seconds, bots=bots, rate=rate)
    result: dict[str, Any] = {}
    async with load:
        async for line in load.lines():
            result = line.get("result", result)
    return result


async def idle(case: Case, figures: Figures, bots: int, limit: float) -> None:
    """Memory per idle bot; then SIGTERM to the nexus, a start, and the time until each bot had an echo again.

    The clock runs from the SIGTERM, so it includes the nexus's farewell and its start.
    """
    nexus = next(part for part in case.parts if part.name == "nexus")
    empty = nexus.rss()
    stopped = 0.0
    try:
        async with asyncio.timeout(limit), Load("idle", case, bots=bots, restarts=1) as load:
            async for line in load.lines():
                if line.get("mark") == "online":
                    figures.first_s = line["seconds"]
                    await asyncio.sleep(3)
                    figures.rss_kib = (nexus.rss() - empty) / 1024 / bots
                    stopped = time.monotonic()
                    await asyncio.to_thread(restart, nexus, case.port)
                elif line.get("mark") == "back":
                    figures.back_s = time.monotonic() - stopped
    except TimeoutError:
        figures.note = f"not every one of {bots:,} bots was online within {limit:g} s"


def restart(nexus: Part, port: int) -> None:
    """Stop in order, start again, wait until it listens."""
    nexus.stop()
    nexus.start()
    wait_listening(nexus, port)
