"""Several plugins take one event: nobody waits for another that takes its time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.plugins.fakes import Platform, Room, message, replies, write_plugin

from botmatrix import Retry as again_later
from botmatrix.clock import SystemClock
from botmatrix.errors import EngineUnavailable
from botmatrix.worker.outcome import Dead, Outcome, Retry
from botmatrix.worker.plugins.host import Host

SLOW = """
    import asyncio
    go_on = asyncio.Event()
    plugin.go_on, plugin.then = go_on, []
    @plugin.on_message(priority=1)
    async def slow(ctx):
        await go_on.wait()
        if plugin.then: raise plugin.then[0]
        return "slow"
    @plugin.on_message(priority=1)
    async def second(ctx): return "second"
"""
QUICK = """
    plugin.then = []
    @plugin.command("x", block=False)
    async def x(ctx):
        ctx.reply("quick")
        if plugin.then: raise plugin.then[0]
"""


class Two:
    """A quick plugin, and one that was found out to be slow; `go_on` lets it go on."""

    def __init__(self, platform: Platform, host: Host) -> None:
        self.platform, self._room = platform, Room(platform, host)
        versions = host._registry._loaded
        self.go_on: asyncio.Event = versions["slow"].plugin.go_on  # type: ignore[attr-defined]
        self.slow_then: list[Exception] = versions["slow"].plugin.then  # type: ignore[attr-defined]
        self.quick_then: list[Exception] = versions["quick"].plugin.then  # type: ignore[attr-defined]

    def begin(self, id: str = "e" * 24) -> asyncio.Task[Outcome]:
        return asyncio.create_task(self._room.handle(message("/x"), id))

    async def sent_early(self, count: int = 1) -> list[str]:
        async with asyncio.timeout(20):
            while len(self.platform.sent) < count:
                await asyncio.sleep(0.005)
        return [params["message"][0]["data"]["text"] for _, params in self.platform.sent]


@pytest.fixture
async def two(platform: Platform, host: Host, tmp_path: Path) -> Two:
    platform.clock = SystemClock()  # type: ignore[assignment]
    for name, code in (("quick", QUICK), ("slow", SLOW)):
        await host.load(write_plugin(tmp_path, code, name))
    two = Two(platform, host)
    first = two.begin("1" * 24)
    await asyncio.sleep(0.2)
    two.go_on.set()
    assert replies(await first) == ["slow", "second", "quick"]  # nobody knew, so they waited for it
    assert platform.sent == []
    two.go_on.clear()
    return two


async def test_what_the_others_say_leaves_without_a_plugin_that_was_slow(two: Two) -> None:
    handled = two.begin()
    assert await two.sent_early() == ["quick"]
    two.go_on.set()
    assert replies(await handled) == ["slow", "second"]
    assert [step.handler for step in (await handled).steps] == ["slow.slow", "slow.second", "quick.x"]


async def test_it_is_trusted_again_when_it_is_quick(two: Two) -> None:
    two.go_on.set()
    assert replies(await two.begin("2" * 24)) == ["slow", "second"]  # as it was slow before
    assert await two.sent_early() == ["quick"]
    two.go_on.clear()
    handled = two.begin("3" * 24)
    await asyncio.sleep(0.2)
    assert await two.sent_early() == ["quick"]
    two.go_on.set()
    assert replies(await handled) == ["slow", "second", "quick"]


async def test_an_event_that_is_handled_again_says_nothing_twice(two: Two) -> None:
    two.slow_then.append(again_later(1, "busy"))
    handled = two.begin()
    assert await two.sent_early() == ["quick"]
    two.go_on.set()
    assert isinstance(await handled, Retry)
    two.slow_then.clear()
    ids = {entry.aid for entry, _ in two.platform.done.values()}
    again = await two.begin()
    assert replies(again)[:2] == ["slow", "second"]
    assert {entry.aid for entry in again.actions[2:]} <= ids  # type: ignore[union-attr]


async def test_a_plugin_that_failed_has_nothing_sent_early(two: Two) -> None:
    two.quick_then.append(ValueError())
    handled = two.begin()
    await asyncio.sleep(0.05)
    two.go_on.set()
    outcome = await handled
    assert isinstance(outcome, Dead)
    assert replies(outcome) == ["slow", "second"]
    assert two.platform.sent == []


async def test_while_redis_is_away_what_was_said_leaves_with_the_acknowledgement(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_entry: object) -> str:
        raise EngineUnavailable("Redis", "away")

    monkeypatch.setattr(two.platform, "post", away)
    handled = two.begin()
    await asyncio.sleep(0.05)
    two.go_on.set()
    assert replies(await handled) == ["slow", "second", "quick"]


async def test_nothing_outlives_an_event_that_is_cancelled(two: Two) -> None:
    handled = two.begin()
    await two.sent_early()
    handled.cancel()
    await asyncio.wait([handled])
    assert handled.cancelled()
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "beside"] == []
