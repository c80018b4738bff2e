"""PostgreSQL is killed for a while: the message path must not notice, REST must say so and heal by itself."""

from __future__ import annotations

import asyncio
import time

import httpx
from tests.chaos.asks import is_routed, rule
from tests.chaos.bots import Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import Oracle

HEALED_WITHIN = 15.0
"""Seconds from PostgreSQL's return until REST answers again: its longest pause between two tries is 10 s."""
SLOWER, LATER = 3.0, 0.5
"""A 99th percentile above this multiple of the one before, and so many seconds more, is a delay."""
NEEDS_POSTGRES = "/api/admin/users"


async def lose_postgres(nemesis: Nemesis, crowd: Crowd, seconds: int) -> None:
    """Away for `seconds`; near the end of it the nexus is stopped and started, and must know its rules.

    Findings: `delayed`, events took longer than before; `not 503`, `not unready`, `not healed`: what REST said instead.
    """
    ruled = nemesis.stack.workers[0]
    await rule(nemesis, ruled)
    before = await _latency_of_what_is_said_within(crowd.oracle, min(10.0, seconds))
    nemesis.count("postgresql kill -9")
    console = nemesis.stack.console
    await asyncio.to_thread(console.postgres.stop, kill=True)
    await _refuses(nemesis)
    during = await _latency_of_what_is_said_within(crowd.oracle, seconds)
    await nemesis.stop_nexus()
    await crowd.all_online()
    await is_routed(nemesis, crowd, ruled)
    await _refuses(nemesis)
    await asyncio.to_thread(console.postgres.start)
    healed = await _heals(nemesis)
    nemesis.findings["delayed"] += during > before * SLOWER + LATER
    nemesis.notes = {
        "99 of 100 answered within, before and without": f"{before * 1000:.0f} ms, {during * 1000:.0f} ms",
        "REST is back after": f"{healed:.1f} s",
    }


async def _latency_of_what_is_said_within(oracle: Oracle, seconds: float) -> float:
    """Seconds within which 99 of 100 events that are said from now on were answered; infinite when fewer were."""
    first = len(oracle.said) + 1
    await asyncio.sleep(seconds)
    last = len(oracle.said)
    await asyncio.sleep(1.0)
    said = [oracle.said[number] for number in range(first, last + 1)]
    times = sorted(one.answered_at - one.at if one.answered_at else float("inf") for one in said)
    return times[len(times) * 99 // 100] if times else float("inf")


async def _refuses(nemesis: Nemesis) -> None:
    """What needs PostgreSQL is refused with a reason, the rest is alive."""
    console = nemesis.stack.console
    answer = await console.get(NEEDS_POSTGRES)
    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or "PostgreSQL" not in answer.json()["message"]:
        nemesis.findings[f"not 503: {answer.status_code} {answer.text[:80]}"] += 1
    ready = await console.get("/readyz")
    if ready.status_code != httpx.codes.SERVICE_UNAVAILABLE or ready.json()["checks"]["postgresql"]["ok"]:
        nemesis.findings[f"not unready: {ready.status_code} {ready.text[:80]}"] += 1
    if (await console.get("/healthz")).status_code != httpx.codes.OK:
        nemesis.findings["not alive"] += 1


async def _heals(nemesis: Nemesis) -> float:
    """Seconds until REST answers again. Finding `not healed`: it did not in time."""
    began = time.monotonic()
    while (await nemesis.stack.console.get(NEEDS_POSTGRES)).status_code != httpx.codes.OK:
        if time.monotonic() - began > HEALED_WITHIN:
            nemesis.findings["not healed"] += 1
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began
