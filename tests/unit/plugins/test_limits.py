"""Cooldowns and quotas, counted in a real Valkey."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.conftest import ValkeyProcess
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Platform, Room, message, private, replies, write_plugin

from botmatrix.bus.client import Client
from botmatrix.sdk.rate import Rate, rate
from botmatrix.worker.outcome import Retry
from botmatrix.worker.plugins.host import Host

CODE = """
@plugin.command("go", cooldown=rate("2/min", by={by!r}))
async def go(ctx): return "gone"
"""
AGAIN = "请 60 秒后再试 · Try again in 60 s"


class Counter:
    """Says things, each an event of its own."""

    def __init__(self, room: Room) -> None:
        self._room, self._n = room, 0

    async def say(self, text: str, *, user: int = 123, group: int = 456) -> list[str]:
        self._n += 1
        event = message(text, user_id=user, group_id=group) if group else private(text, user_id=user)
        return replies(await self._room.handle(event, f"{self._n:024}"))


async def test_beyond_its_cooldown_a_command_says_so_once_and_then_nothing(open_room: Open) -> None:
    chat = Counter(await open_room(CODE.format(by="user")))
    said = [await chat.say("/go") for _ in range(4)]
    assert said == [["gone"], ["gone"], [AGAIN], []]


@pytest.mark.parametrize(
    ("by", "expected"),
    [("user", [1, 0, 1]), ("member", [1, 1, 1]), ("conversation", [0, 1, 1]), ("all", [0, 0, 0])],
)
async def test_uses_are_counted_for_whom_it_says(open_room: Open, by: str, expected: list[int]) -> None:
    """Alice uses it up; then Bob asks in the same group, Alice in another one, Carol in private."""
    chat = Counter(await open_room(CODE.format(by=by)))
    for _ in range(3):
        await chat.say("/go")
    others = [await chat.say("/go", user=1), await chat.say("/go", group=457), await chat.say("/go", user=2, group=0)]
    assert [said == ["gone"] for said in others] == [bool(one) for one in expected]


async def test_an_event_that_is_handled_again_counts_once(open_room: Open) -> None:
    room = await open_room(CODE.format(by="user"))
    for _ in range(5):
        assert replies(await room.handle(message("/go"))) == ["gone"]


async def test_wrong_usage_does_not_count(open_room: Open) -> None:
    chat = Counter(
        await open_room("""
        @plugin.command("go", cooldown=rate("1/min"))
        async def go(ctx, n: int): return "gone"
        """)
    )
    for _ in range(3):
        await chat.say("/go away")
    assert await chat.say("/go 1") == ["gone"]


async def test_what_is_refused_by_one_limit_does_not_count_for_another(open_room: Open, redis_url: str) -> None:
    chat = Counter(
        await open_room("""
        @plugin.command("go", cooldown=[rate("1/min"), rate("9/min", by="all")], quota=rate("2/day"))
        async def go(ctx): return "gone"
        """)
    )
    for _ in range(3):
        await chat.say("/go")
    redis = Client(redis_url, name="test")
    sizes = {key: await redis.call("SCARD", key) for key in await redis.call("KEYS", "botmatrix:uses:*")}
    lives = [await redis.call("PTTL", key) for key in sizes]
    await redis.close()
    assert sorted(sizes.values()) == [1, 1, 2]
    assert all(life > 0 for life in lives)


async def test_a_quota_starts_anew_with_the_day_of_its_clock(open_room: Open, platform: Platform) -> None:
    chat = Counter(
        await open_room("""
        @plugin.command("go", quota=rate("1/day", tz="Asia/Shanghai"))
        async def go(ctx): return "gone"
        """)
    )
    assert await chat.say("/go") == ["gone"]
    assert await chat.say("/go") == ["次数已用完，18 小时后恢复 · Used up, again in 18 h"]
    midnight = datetime(2023, 11, 15, 16, 0, tzinfo=UTC).timestamp()
    platform.clock.advance(midnight - platform.clock.now() - 1)
    assert await chat.say("/go") == []
    platform.clock.advance(1)
    assert await chat.say("/go") == ["gone"]


async def test_what_listens_keeps_silent_beyond_its_limit(open_room: Open) -> None:
    chat = Counter(
        await open_room("""
        @plugin.on_message(keywords="hi", cooldown=rate("1/min"))
        async def hi(ctx): return "hi"
        """)
    )
    assert [await chat.say("Hi there") for _ in range(3)] == [["hi"], [], []]


async def test_without_redis_the_event_waits(own_valkey: ValkeyProcess, tmp_path: Path) -> None:
    platform = Platform(own_valkey.url)
    host = Host(platform)
    await host.load(write_plugin(tmp_path, CODE.format(by="user")))
    own_valkey.stop(kill=True)
    assert isinstance(await Room(platform, host).handle(message("/go")), Retry)
    await host.close()
    await platform.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5/min", Rate(5, 60, "user", "UTC")),
        ("1/10s", Rate(1, 10, "user", "UTC")),
        (" 20 / day ", Rate(20, 86_400, "user", "UTC")),
        ("3/2h", Rate(3, 7200, "user", "UTC")),
    ],
)
def test_rates_are_read(text: str, expected: Rate) -> None:
    assert rate(text) == expected


@pytest.mark.parametrize("text", ["", "5", "0/min", "5/year", "-1/min", "5/0s", "10001/day", "1.5/min", "5/min/h"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        rate(text)


def test_a_rate_names_whose_uses_and_by_which_clock() -> None:
    with pytest.raises(ValueError, match="count by user"):
        rate("1/day", by="group")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is no time zone"):
        rate("1/day", tz="Moon/Sea")
