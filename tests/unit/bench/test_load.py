"""The load generator against the bare floor: what it counts is what happened."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from bench.cases import Case, Floor
from bench.load import percentile
from bench.measure import Figures, idle, saturate, steady


def test_percentiles_of_an_ordered_list() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert percentile([1.0], 0.99) == 1.0
    assert math.isnan(percentile([], 0.99))


@pytest.fixture(scope="module")
def floor() -> Iterator[Case]:
    with Floor() as case:
        yield case


async def test_saturation_counts_round_trips_and_the_cpu_of_each_process(floor: Case) -> None:
    rate, cpu = await saturate(floor, seconds=1, bots=10, outstanding=4)
    assert rate > 50
    assert set(cpu) == {"valkey", "nexus", "worker", "bots"}
    assert cpu["bots"] > 0
    assert min(cpu.values()) >= 0  # one of the others may have used less than a tick of the clock that counts it


async def test_every_event_of_the_open_loop_is_answered(floor: Case) -> None:
    result = await steady(floor, rate=200, seconds=1, bots=10)
    assert result["missing"] == 0
    assert 0 < result["p50_ms"] <= result["p99_ms"] <= result["max_ms"]


async def test_idle_bots_come_back_after_a_restart(floor: Case) -> None:
    figures = Figures("floor")
    await idle(floor, figures, bots=50, limit=30)
    assert figures.back_s is not None
    assert figures.rss_kib is not None
