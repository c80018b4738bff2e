"""Means and quantiles of lately taken times."""

from __future__ import annotations

import random

import pytest

from botmatrix.worker.spread import WINDOW, Spread


def spread_of(*seconds: float, now: float = 1000.0) -> Spread:
    spread = Spread()
    for one in seconds:
        spread.observe(one, now)
    return spread


def test_nothing_observed_is_nothing() -> None:
    assert (Spread().mean, Spread().quantile(0.95)) == (0.0, 0.0)


@pytest.mark.parametrize("seconds", [0.002, 0.012, 1.0, 75.0])
def test_one_observation_is_mean_and_quantile(seconds: float) -> None:
    spread = spread_of(seconds)
    assert spread.mean == pytest.approx(seconds)
    assert spread.quantile(0.95) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_is_right_within_a_tenth(share: float) -> None:
    rng = random.Random(7)
    seconds = sorted(rng.lognormvariate(-4, 1.5) for _ in range(10_000))
    assert spread_of(*seconds).quantile(share) == pytest.approx(seconds[int(share * len(seconds))], rel=0.1)


def test_a_few_slow_ones_show_in_the_quantile_and_hardly_in_the_mean() -> None:
    spread = spread_of(*[0.01] * 90, *[1.0] * 10)
    assert spread.quantile(0.95) == pytest.approx(1.0, rel=0.1)
    assert spread.quantile(0.5) == pytest.approx(0.01, rel=0.1)
    assert spread.mean == pytest.approx(0.109)


def test_what_is_long_past_is_forgotten_by_what_comes_later() -> None:
    spread = spread_of(*[5.0] * 10)
    spread.observe(0.1, 1000 + WINDOW)
    assert spread.mean > 1
    spread.observe(0.1, 1000 + 2 * WINDOW)
    assert spread.mean == pytest.approx(0.1)
    assert spread.quantile(0.95) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e7])
def test_what_no_bucket_is_for_counts_at_the_end(seconds: float) -> None:
    assert 0 <= spread_of(seconds).quantile(0.95) < 3000
