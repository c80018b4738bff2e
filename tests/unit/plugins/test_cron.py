"""What the clock starts: times, turns, and what becomes of it when plugins are exchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.plugins.fakes import Platform, write_plugin

from botmatrix.bus.client import Client
from botmatrix.bus.cron import LEASE, CronBox, Turn
from botmatrix.bus.keys import Keys
from botmatrix.clock import ManualClock
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.cron import Cron
from botmatrix.worker.plugins.host import Host

CODE = """
    plugin = Plugin(id="mine", permissions=["send_msg"])

    @plugin.cron("* * * * *")
    async def tick(app):
        await app.send("qq:group:456", "tick")
"""


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


async def tick(_app: object) -> None: ...


def test_times_are_those_of_the_zone() -> None:
    cron = Cron(tick, "0 8 * * *", "Asia/Shanghai", 60)
    assert cron.after(at("2026-01-01T00:30")) == at("2026-01-02T00:00")
    assert cron.last(at("2026-01-01T00:01"), 120) == at("2026-01-01T00:00")
    assert cron.last(at("2026-01-01T00:00"), 120) == at("2026-01-01T00:00")
    assert cron.last(at("2026-01-01T00:03"), 120) == 0


def test_an_hour_that_is_there_twice_is_run_once() -> None:
    cron = Cron(tick, "30 2 * * *", "Europe/Berlin", 60)
    first = cron.after(at("2026-10-24T12:00"))
    assert datetime.fromtimestamp(cron.after(first), UTC).date() == datetime(2026, 10, 26, tzinfo=UTC).date()


@pytest.mark.parametrize("expression", ["30 2 * * *", "15,45 1-3 * * *", "*/20 * * * *", "0 */2 * * *"])
@pytest.mark.parametrize(
    ("tz", "night"),
    [
        ("Europe/Berlin", "2026-10-24T23:00"),
        ("America/New_York", "2026-11-01T04:00"),
        ("Australia/Lord_Howe", "2026-04-04T13:00"),
        ("Europe/Berlin", "2026-03-28T23:00"),
    ],
)
def test_whenever_a_worker_begins_in_the_night_of_the_clocks_the_next_time_is_to_come(
    expression: str, tz: str, night: str
) -> None:
    cron, began = Cron(tick, expression, tz, 60), at(night)
    due = [cron.after(began - 3600)]
    while due[-1] < began + 2 * 86_400:
        due.append(cron.after(due[-1]))
    for now in (began + 60 * minute for minute in range(1, 6 * 60)):
        assert cron.after(now) == min(one for one in due if one > now)
        assert cron.last(now, 600) == max((one for one in due if now - 600 < one <= now), default=0)


@pytest.mark.parametrize(("expression", "tz"), [("every day", "UTC"), ("61 * * * *", "UTC"), ("* * * * *", "Mars/X")])
def test_what_is_no_time_is_refused(expression: str, tz: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        Cron(tick, expression, tz, 60)


class Workers:
    def __init__(self, client: Client) -> None:
        self.clock = ManualClock()
        self.boxes = [CronBox(client, Keys(), f"w{number}", self.clock) for number in range(2)]


@pytest.fixture
async def workers(redis_url: str) -> AsyncIterator[Workers]:
    client = Client(redis_url, name="cron")
    yield Workers(client)
    await client.close()


async def test_one_worker_runs_it_and_when_it_is_done_nobody_does(workers: Workers) -> None:
    one, two = workers.boxes
    assert await one.take("a.b", 60, "x") is Turn.OURS
    assert await two.take("a.b", 60, "x") is Turn.OTHERS
    assert await one.take("a.b", 60, "new version") is Turn.OTHERS
    assert await one.take("a.b", 60, "x") is Turn.OURS
    await one.done("a.b", 60, "x")
    assert await two.take("a.b", 60, "x") is Turn.OVER
    assert await two.take("a.b", 0, "x") is Turn.OVER
    assert await two.take("a.b", 120, "x") is Turn.OURS
    assert await one.last("a.b") == 120


async def test_a_run_whose_worker_died_is_taken_over(workers: Workers) -> None:
    one, two = workers.boxes
    await one.take("a.b", 60, "x")
    workers.clock.advance(LEASE + 1)
    assert await two.take("a.b", 60, "x") is Turn.OURS
    assert await one.take("a.b", 60, "x") is Turn.OTHERS


async def test_a_time_that_passed_while_versions_changed_is_made_up_for_and_nothing_is_left_behind(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    now = platform.clock.now()
    due = int(now // 60 * 60)
    await platform.crons.take("mine.tick", due - 60, "before")
    await platform.crons.done("mine.tick", due - 60, "before")
    before = len(asyncio.all_tasks())
    await host.load(write_plugin(tmp_path, CODE))
    async with asyncio.timeout(30):
        while not platform.sent:
            await asyncio.sleep(0.01)
        while await platform.crons.take("mine.tick", due, "other") is not Turn.OVER:
            await asyncio.sleep(0.01)
    await host.load(write_plugin(tmp_path, CODE))
    await host.unload("mine")
    assert [params["group_id"] for _, params in platform.sent] == [456]
    assert len(asyncio.all_tasks()) == before


class Forgetful(CronBox):
    """Redis goes away just when a run is done, once."""

    away = True

    async def done(self, name: str, due: int, by: str) -> None:
        if self.away:
            self.away = False
            raise EngineUnavailable("Redis", "as told")
        await super().done(name, due, by)


async def test_what_is_done_is_not_done_again_because_redis_was_away_then(
    platform: Platform, host: Host, tmp_path: Path, redis_url: str
) -> None:
    client = Client(redis_url, name="forgetful")
    platform.crons = box = Forgetful(client, Keys(), "w1", platform.clock)
    due, ran = int(platform.clock.now() // 60 * 60), tmp_path / "ran"
    await box.take("mine.tick", due - 60, "before")
    code = f"""
        plugin = Plugin(id="mine")

        @plugin.cron("* * * * *")
        async def tick(app):
            with open({str(ran)!r}, "a") as file:
                file.write("x")
    """
    await host.load(write_plugin(tmp_path, code))
    async with asyncio.timeout(60):
        while box.away or await box.take("mine.tick", due, "other") is not Turn.OVER:
            await asyncio.sleep(0.01)
    assert ran.read_text() == "x"
    await client.close()
