"""`/bind CODE` in whole nexuses on a real Valkey, from the chat's side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import KEYS
from tests.integration.nexus.test_core import CoreScene, said, spoken, until
from websockets.asyncio.client import ClientConnection

from botmatrix.bus.binding import TRIES, BindBox, new_code
from botmatrix.bus.settings import SettingsBox
from botmatrix.config import Stored
from botmatrix.nexus.app import Nexus

USER = 12


class BindScene(CoreScene):
    """Nexuses, and somebody at the console who has codes made."""

    def __init__(self, url: str, home: Path, stack: AsyncExitStack) -> None:
        super().__init__(url, home, stack)
        self.codes = BindBox(self.client, KEYS)

    async def offered(self, *nexuses: Nexus, user_id: int = USER) -> str:
        """A code that these nexuses know of."""
        code = await self.codes.offer(user_id)
        for nexus in nexuses:
            await nexus.core.binder.look()
        return code


@pytest.fixture
async def scene(redis_url: str, home: Path) -> AsyncIterator[BindScene]:
    async with AsyncExitStack() as stack:
        scene = BindScene(redis_url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        yield scene


async def say(bot: ClientConnection, number: int, text: str, *, user: int = 7, self_id: int = 10001) -> str:
    """Say something in private; what the hub answers."""
    await bot.send(said(number, text, user=user, group=0, self_id=self_id))
    words, params = await spoken(bot)
    assert params["user_id"] == user
    return words


async def test_the_right_code_is_claimed_once_and_consumed(scene: BindScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    code = await scene.offered(nexus)
    assert "绑定成功" in await say(bot, 1, f"/bind {code}")
    assert await scene.codes.claims() == {"qq:7": USER}
    await bot.send(said(2, f"/bind {code}", group=0, user=8))
    assert await scene.heard(lane, 1) == [2], "nothing is outstanding any more"
    assert await scene.codes.claims() == {"qq:7": USER}
    assert nexus.counters()["blocked_bind_code"] == 1


@pytest.mark.parametrize("form", ["/BIND {}", "  /bind   {} ", "/bind\n{}"])
async def test_case_dashes_and_blanks_count_for_nothing(scene: BindScene, form: str) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    code = (await scene.offered(nexus)).lower().replace("-", " ")
    assert "绑定成功" in await say(bot, 1, form.format(code))


async def test_five_wrong_codes_void_the_right_one_wherever_they_are_said(scene: BindScene) -> None:
    nexuses = [await scene.nexus("n1"), await scene.nexus("n2")]
    lane = await scene.worker()
    bots = [await scene.bot(nexus, 10001 + place) for place, nexus in enumerate(nexuses)]
    code = await scene.offered(*nexuses)
    answers = []
    for number in range(TRIES):
        at = number % 2
        answers.append(await say(bots[at], number, f"/bind {new_code()}", user=7 + at, self_id=10001 + at))
    assert [f"tries left: {TRIES - 1 - place}" in words for place, words in enumerate(answers)] == [True] * 4 + [False]
    assert "已作废" in answers[-1]
    await until(lambda: not any(nexus.core.binder.is_open for nexus in nexuses))
    await bots[1].send(said(99, f"/bind {code}", group=0, self_id=10002))
    assert await scene.heard(lane, 1) == [99]
    assert await scene.codes.claims() == {}


async def test_four_wrong_codes_leave_one_try(scene: BindScene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    code = await scene.offered(nexus)
    for number in range(TRIES - 1):
        await say(bot, number, "/bind wrong")
    assert "绑定成功" in await say(bot, 9, f"/bind {code}")


async def test_a_code_that_was_said_in_two_nexuses_at_once_works_once(scene: BindScene) -> None:
    nexuses = [await scene.nexus("n1"), await scene.nexus("n2")]
    bots = [await scene.bot(nexus, 10001 + place) for place, nexus in enumerate(nexuses)]
    code = await scene.offered(*nexuses)
    answers = await asyncio.gather(
        *(say(bot, 1, f"/bind {code}", user=7 + n, self_id=10001 + n) for n, bot in enumerate(bots))
    )
    assert sorted("绑定成功" in words for words in answers) == [False, True]
    assert len(await scene.codes.claims()) == 1


async def test_an_expired_code_is_none_and_the_message_travels_on(scene: BindScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    code = await scene.offered(nexus)
    await scene.client.call("PEXPIRE", KEYS.bind_codes, 30)
    await nexus.core.binder.look()
    await until(lambda: not nexus.core.binder.is_open)
    await bot.send(said(1, f"/bind {code}", group=0))
    assert await scene.heard(lane, 1) == [1]
    assert nexus.counters()["core_answers"] == 0


async def test_one_of_two_codes_expires_by_itself(scene: BindScene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    old, new = await scene.offered(nexus, user_id=1), await scene.offered(nexus, user_id=2)
    for field, value in zip(*[iter(await scene.client.call("HGETALL", KEYS.bind_codes))] * 2, strict=True):
        if value.startswith(b"1 "):
            await scene.client.call("HSET", KEYS.bind_codes, field, "1 1000 0")
    assert "绑定码错误" in await say(bot, 1, f"/bind {old}")
    assert "绑定成功" in await say(bot, 2, f"/bind {new}")
    assert await scene.codes.claims() == {"qq:7": 2}


async def test_a_new_code_voids_the_earlier_one_of_the_same_user_only(scene: BindScene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    first, other = await scene.offered(nexus, user_id=1), await scene.offered(nexus, user_id=2)
    second = await scene.offered(nexus, user_id=1)
    assert "tries left" in await say(bot, 1, f"/bind {first}")
    assert "绑定成功" in await say(bot, 2, f"/bind {second}", user=8)
    assert "绑定成功" in await say(bot, 3, f"/bind {other}", user=9)
    assert await scene.codes.claims() == {"qq:8": 1, "qq:9": 2}


async def test_in_a_group_or_without_a_code_outstanding_it_is_a_message_like_any_other(scene: BindScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "/bind foo", group=0))
    code = await scene.offered(nexus)
    for frame in (said(2, f"/bind {code}"), said(3, "/binding foo", group=0), said(4, "x /bind foo", group=0)):
        await bot.send(frame)
    await bot.send(said(6, f"/bind {code}", group=0).replace('"user_id": 7', '"user_id": null'))
    assert sorted(await scene.heard(lane, 5)) == [1, 2, 3, 4, 6]
    assert "绑定成功" in await say(bot, 5, f"/bind {code}")


async def test_every_nexus_hears_of_a_code_at_once_or_within_seconds_when_the_signal_is_lost(scene: BindScene) -> None:
    nexuses = [await scene.nexus("n1"), await scene.nexus("n2")]
    async with asyncio.timeout(10):
        while (await scene.client.call("PUBSUB", "NUMSUB", KEYS.bind_changed))[1] < 2:
            await asyncio.sleep(0.01)
    await scene.codes.offer(USER)
    assert await until(lambda: all(nexus.core.binder.is_open for nexus in nexuses)) < 1
    await scene.client.call("DEL", KEYS.bind_codes)
    assert await until(lambda: not any(nexus.core.binder.is_open for nexus in nexuses)) < 5


async def test_who_is_bound_commands_the_hub_until_they_are_not(scene: BindScene) -> None:
    nexuses = [await scene.nexus("n1"), await scene.nexus("n2")]
    lane, box = await scene.worker(), SettingsBox(scene.client, KEYS)
    bots = [await scene.bot(nexus, 10001 + place) for place, nexus in enumerate(nexuses)]
    bound, nobody = Stored(bound=("qq:7",)).document(), Stored().document()
    assert await box.publish(bound, expected="")
    await until(lambda: all(nexus.current.running.bound for nexus in nexuses))
    for number, bot in enumerate(bots):
        assert "状态 State" in await say(bot, number, "/system status", self_id=10001 + number)
    published = await box.read()
    assert published is not None
    assert await box.publish(nobody, expected=published.version)
    assert await until(lambda: not any(nexus.current.running.bound for nexus in nexuses)) < 1
    await bots[0].send(said(9, "/system close", group=0))
    assert await scene.heard(lane, 1) == [9]


async def test_no_trace_shows_the_code(scene: BindScene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await scene.offered(nexus)
    assert "绑定码错误" in await say(bot, 1, "/bind canary")
    async with asyncio.timeout(10):
        while not (entries := await scene.client.call("XRANGE", KEYS.trace, "-", "+")):
            await asyncio.sleep(0.02)
    text = repr(entries)
    assert "bind_code" in text
    assert "canary" not in text


async def test_while_redis_is_away_the_code_is_not_lost(own_valkey: ValkeyProcess, home: Path) -> None:
    async with AsyncExitStack() as stack:
        scene = BindScene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        nexus = await scene.nexus()
        bot = await scene.bot(nexus)
        await scene.offered(nexus)
        own_valkey.stop(kill=True)
        assert "Redis" in await say(bot, 1, "/bind wrong")
        await asyncio.to_thread(own_valkey.start)
