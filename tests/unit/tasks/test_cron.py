"""Cron expressions: when clocks change, at the borders of the calendar, and whatever somebody may type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.tasks.cron import Cron, zone_named
from botmatrix.tasks.model import BadTask

CHANGES = [
    # A fixed moment that does not exist: right behind the gap.
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"),
    ("30 2 * * *", "America/New_York", "2026-03-07T12:00", "2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"),
    ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00", "2026-04-24T01:00+03:00", "2026-04-25T00:00+03:00"),
    ("0 0 * * *", "America/Santiago", "2026-09-05T12:00", "2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"),
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"),
    # A fixed moment that comes twice: the first time.
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
    ("30 1 * * *", "America/New_York", "2026-10-31T12:00", "2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"),
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", "2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"),
    # With a star: as the clock on the wall goes.
    ("0 * * * *", "Europe/Berlin", "2026-03-29T01:30", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"),
    ("0 * * * *", "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"),
    ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T02:00+02:00", "2026-03-30T02:30+02:00"),
    # A day that was left out, and a place where nothing changes.
    ("0 12 30 12 *", "Pacific/Apia", "2011-12-29T13:00", "2011-12-31T00:00+14:00", "2012-12-30T12:00+14:00"),
    ("30 2 * * *", "Asia/Shanghai", "2026-03-28T12:00", "2026-03-29T02:30+08:00", "2026-03-30T02:30+08:00"),
]


def at(text: str, zone: str = "UTC") -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


@pytest.mark.parametrize(("cron", "zone", "after", "first", "second"), CHANGES)
def test_when_clocks_change(cron: str, zone: str, after: str, first: str, second: str) -> None:
    job = Cron(cron, ZoneInfo(zone))
    assert job.next(at(after, zone)) == at(first)
    assert job.next(at(first)) == at(second)


def test_what_ran_in_the_first_pass_of_an_hour_does_not_run_in_the_second() -> None:
    job = Cron("30 2 * * *", ZoneInfo("Europe/Berlin"))
    assert job.next(at("2026-10-25T02:10+01:00")) == at("2026-10-26T02:30+01:00")


@pytest.mark.parametrize(
    ("cron", "after", "wanted"),
    [
        ("0 23 * * *", "2026-01-31T23:00", "2026-02-01T23:00"),
        ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 * * 0", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("0 0 * * 7", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("*/20 9-17 * * mon-fri", "2026-01-02T17:40", "2026-01-05T09:00"),
        ("0 0 13 * 5", "2026-01-01T00:00", "2026-01-02T00:00"),
        ("0 0 L * *", "2026-02-01T00:00", "2026-02-28T00:00"),
        ("59 23 31 12 *", "2026-12-31T23:59", "2027-12-31T23:59"),
    ],
)
def test_five_fields(cron: str, after: str, wanted: str) -> None:
    assert Cron(cron, ZoneInfo("UTC")).next(at(after)) == at(wanted)


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *", "0 0 30 2 *", "* " * 200, "a b c d e"]
)
def test_what_is_no_expression_or_never_comes_is_refused(cron: str) -> None:
    with pytest.raises(BadTask, match="cron"):
        Cron(cron, ZoneInfo("UTC"))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a\0b", "Europe", "x" * 5000])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadTask, match="time_zone"):
        zone_named(name)


FIELD = st.text(st.sampled_from("0123456789*/,-#L"), min_size=1, max_size=6)


@given(st.lists(FIELD, min_size=5, max_size=5), st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))
def test_whatever_is_typed_is_refused_in_words_or_goes_forward(fields: list[str], zone: str) -> None:
    try:
        job = Cron(" ".join(fields), ZoneInfo(zone))
    except BadTask:
        return
    moment = at("2026-03-29T00:00")
    for _ in range(3):
        following = job.next(moment)
        if following is None:
            break
        assert following > moment
        moment = following


@given(st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)), st.sampled_from([z for _, z, *_ in CHANGES]))
def test_a_daily_job_runs_each_day_once(moment: datetime, zone: str) -> None:
    after, job = moment.replace(tzinfo=UTC), Cron("30 2 * * *", ZoneInfo(zone))
    first = job.next(after)
    assert first is not None
    second = job.next(first)
    assert second is not None
    days = [one.astimezone(ZoneInfo(zone)).date() for one in (first, second)]
    assert days[1] - days[0] == timedelta(days=1)
