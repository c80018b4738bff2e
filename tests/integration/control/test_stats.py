"""Figures of the whole matrix: sampled from what the parts say, kept once, made coarser."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.integration.control.test_resources import KEYS, put_bot, put_nexus

from botmatrix.bus.series import DAY, HOUR, Resolution, Sample, Series, mean
from botmatrix.control.parts import Parts, build

SLOT = int(time.time() // 300) * 300


async def put_counts(parts: Parts, seen: float, received: int, blocked: int) -> None:
    await put_nexus(
        parts,
        "n1.aa",
        seen=f"{seen:.3f}",
        started=f"{seen - 100:.3f}",
        count_received=str(received),
        count_blocked=str(blocked),
        count_blocked_closed=str(blocked),
        cpu_percent="12.5",
        rss="1000",
    )


async def test_rates_are_what_was_counted_in_the_nexuss_own_time(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_bot(parts, "qq:1", "n1.aa", state="online")
    await put_bot(parts, "qq:2", "gone", state="online")
    await parts.presence.announce("w1", {"handled": "5", "response_ms": "8", "response_p95_ms": "20", "rss": "7"})
    now = int(time.time())
    await put_counts(parts, now - 5, 1000, 10)
    await parts.stats.tick(now - 10)
    await put_counts(parts, now, 1500, 20)
    await parts.stats.tick(now)
    answer = (await owner.get("/api/stats")).json()
    found = answer["now"]
    assert (found["t"], found["received"], found["blocked"], found["reasons"]) == (now, 100, 2, {"closed": 2})
    assert (found["bots_online"], found["bots"], found["workers"], found["nexuses"]) == (1, 2, 1, 1)
    assert (found["response_ms"], found["response_p95_ms"]) == (8, 20)
    assert found["cpu_percent"]["nexus"] == 12.5
    assert {(one["part"], one["id"]) for one in answer["parts"]} == {
        ("nexus", "n1.aa"),
        ("worker", "w1"),
        ("control", "control"),
    }
    assert (answer["step"], len(answer["series"])) == (10, 1)


async def test_a_nexus_that_says_nothing_new_adds_nothing(parts: Parts) -> None:
    await put_counts(parts, SLOT, 1000, 0)
    for slot in (SLOT, SLOT + 10, SLOT + 20):
        await parts.stats.tick(slot)
    samples = await parts.stats.series.read(HOUR, start=SLOT, end=SLOT + 60)
    assert [(one.t, one.received) for one in samples] == [(SLOT + 10, 0), (SLOT + 20, 0)]


async def test_of_several_control_processes_one_sample_is_kept(parts: Parts) -> None:
    other = build(parts.current)
    for slot in (SLOT + 10, SLOT + 20):
        for one in (parts, other):
            await one.stats.tick(slot)
    assert [one.t for one in await parts.stats.series.read(HOUR, start=SLOT, end=SLOT + 60)] == [SLOT + 20]
    await other.close()


async def test_coarser_samples_are_means(owner: httpx.AsyncClient, parts: Parts) -> None:
    for number in range(1, 30):
        sample = Sample(
            t=SLOT - 300 + number * 10, received=float(number), reasons={"closed": 1.0} if number > 15 else {}
        )
        assert await parts.stats.series.add(HOUR, sample)
        assert not await parts.stats.series.add(HOUR, sample)
    await parts.stats.tick(SLOT)
    (found,) = (await owner.get("/api/stats?range=24h")).json()["series"]
    assert (found["t"], found["received"]) == (SLOT, 15)
    assert found["reasons"]["closed"] == pytest.approx(14 / 29)


async def test_each_series_is_bounded(parts: Parts) -> None:
    series = Series(parts.redis, KEYS)
    short = Resolution(10, 1000)
    for number in range(1, 600):
        await series.add(short, Sample(t=number * 10))
    assert await parts.redis.call("XLEN", KEYS.series("10")) <= 300
    assert 0 < await parts.redis.call("TTL", KEYS.series("10")) <= 2000


async def test_what_is_no_sample_is_left_out(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.redis.call("XADD", KEYS.series("300"), f"{SLOT * 1000}-0", "sample", "[]")
    assert (await owner.get("/api/stats?range=24h")).json()["series"] == []
    assert (await owner.get("/api/stats?range=1y")).status_code == 422


def test_the_mean_of_one_sample_is_that_sample() -> None:
    sample = Sample(t=5, received=2.0, reasons={"a": 1.0}, rss={"nexus": 3.0})
    assert mean([sample], 5) == sample
    assert DAY.step % HOUR.step == 0
