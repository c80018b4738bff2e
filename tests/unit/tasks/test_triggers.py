"""Moments, delays and expressions: when a task is set off first, and again."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from botmatrix.tasks.model import BadTask, TaskType
from botmatrix.tasks.triggers import Trigger

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def trigger(type: str, zone: str = "UTC", **config: Any) -> Trigger:
    return Trigger(TaskType(type), config, zone)


@pytest.mark.parametrize(
    ("zone", "time", "wanted"),
    [
        ("UTC", "2026-05-02T08:00:00Z", "2026-05-02T08:00:00+00:00"),
        ("Asia/Shanghai", "2026-05-02T08:00:00+02:00", "2026-05-02T06:00:00+00:00"),
        ("Asia/Shanghai", "2026-05-02T08:00", "2026-05-02T00:00:00+00:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00+00:00"),
        ("UTC", "2026-05-01T11:59:30Z", "2026-05-01T11:59:30+00:00"),
    ],
)
def test_once(zone: str, time: str, wanted: str) -> None:
    once = trigger("once", zone, time=time)
    assert once.first(NOW) == datetime.fromisoformat(wanted)
    assert once.next(NOW) is None


def test_a_moment_that_has_passed_is_refused() -> None:
    with pytest.raises(BadTask, match="has passed"):
        trigger("once", time="2026-05-01T11:58:00Z").first(NOW)


def test_delayed_comes_once() -> None:
    delayed = trigger("delayed", delay=90)
    assert (delayed.first(NOW), delayed.next(NOW)) == (NOW + timedelta(seconds=90), None)


def test_cron_comes_again() -> None:
    cron = trigger("cron", "Asia/Shanghai", cron="0 23 * * *")
    first = cron.first(NOW)
    assert first == datetime(2026, 5, 1, 15, tzinfo=UTC)
    assert cron.next(first) == first + timedelta(days=1)


def test_a_condition_never_comes_by_time() -> None:
    condition = trigger("condition", event="message", keyword="a")
    assert (condition.first(NOW), condition.next(NOW)) == (None, None)
    assert condition.config == {"event": "message", "keyword": ["a"]}


@pytest.mark.parametrize(
    ("type", "config"),
    [
        ("once", {}),
        ("once", {"time": 5}),
        ("once", {"time": "0001-01-01T00:00+14:00"}),
        ("once", {"time": "2099-01-01", "delay": 1}),
        ("delayed", {"delay": True}),
        ("delayed", {"delay": "5"}),
        ("delayed", {"delay": math.nan}),
        ("delayed", {"delay": math.inf}),
        ("cron", {"cron": ["0 0 * * *"]}),
        ("cron", {"time": "0 0 * * *"}),
    ],
)
def test_what_is_no_trigger_is_refused(type: str, config: dict[str, Any]) -> None:
    with pytest.raises(BadTask):
        Trigger(TaskType(type), config, "UTC")
