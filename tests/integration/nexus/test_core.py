"""The judge in a whole nexus on a real Valkey: bots on one side, a lane's owner on the other."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import KEYS, Scene, next_action
from websockets.asyncio.client import ClientConnection

from botmatrix.bus.core import CoreBox
from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.lanes import Delivery, Lane
from botmatrix.config import load
from botmatrix.core.config import CoreConfig, changed
from botmatrix.nexus.app import Nexus
from botmatrix.nexus.core_figures import day_of

ADMIN = 99


class CoreScene(Scene):
    """Nexuses with a chat administrator, and somebody who configures the judge."""

    async def nexus(self, name: str = "n1", *, lease_ttl: float = 10.0) -> Nexus:
        flags = {"redis_url": self.url, "nexus_id": name, "ws_port": 0, "bot_token": "secret"}
        nexus = Nexus(load(self.home, {**flags, "chat_admins": f"qq:{ADMIN}"}, {}), lease_ttl=lease_ttl)
        await nexus.start()
        self.stack.push_async_callback(nexus.stop)
        return nexus

    async def configure(self, patch: dict[str, Any], version: int = 1) -> None:
        box = CoreBox(self.client, KEYS)
        assert await box.write(changed(CoreConfig(), patch).to_json(), expected=version - 1, version=version)

    async def heard(self, lane: Lane, count: int) -> list[int]:
        """The numbers of the next messages that reach the lane; they are settled."""
        deliveries: list[Delivery] = await self.read(lane, count)
        for delivery in deliveries:
            await self.settle(lane, delivery)
        return [json.loads(bytes(decode_envelope(one.payload).event))["message_id"] for one in deliveries]


@pytest.fixture
async def scene(redis_url: str, home: Path) -> AsyncIterator[CoreScene]:
    async with AsyncExitStack() as stack:
        scene = CoreScene(redis_url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        yield scene


def said(number: int, *texts: str, user: int = 7, group: int = 456, **more: Any) -> str:
    where = {"message_type": "group", "group_id": group} if group else {"message_type": "private"}
    body = {
        **{"post_type": "message", "sub_type": "normal", "self_id": 10001, "time": 1_700_000_000},
        **{"message_id": number, "user_id": user, "message": [{"type": "text", "data": {"text": t}} for t in texts]},
    }
    return json.dumps({**body, **where, **more})


async def until(true: Callable[[], bool], seconds: float = 10) -> float:
    """Wait until something is so; how long it took."""
    started = time.monotonic()
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)
    return time.monotonic() - started


async def spoken(bot: ClientConnection) -> tuple[str, dict[str, Any]]:
    """The next thing that the hub says through the bot: the text and the parameters."""
    params = (await next_action(bot))["params"]
    return params["message"][0]["data"]["text"], params


async def test_a_closed_system_blocks_and_counts_and_opens_again(scene: CoreScene) -> None:
    await scene.configure({"system_control": {"open": False}})
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "hello"))
    await until(lambda: nexus.counters()["blocked_system_closed"] == 1)
    await scene.configure({}, version=2)
    await until(lambda: not nexus.core.state.judge.closed)
    await bot.send(said(2, "hello"))
    assert await scene.heard(lane, 1) == [2]
    counted = nexus.counters()
    assert counted["received"] == counted["blocked"] + counted["accepted"] + counted["waiting"] == 2


async def test_a_blocked_user_and_a_word_in_pieces_do_not_arrive(scene: CoreScene) -> None:
    lists = {"blacklist": {"system": ["qq:8"]}}
    await scene.configure({"permissions": lists, "sensitive_words": {"system": {"plain": ["敏感词"]}}})
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    for frame in (said(1, "hello", user=8), said(2, "敏", "感\u200b", "词"), said(3, "hello")):
        await bot.send(frame)
    assert await scene.heard(lane, 1) == [3]
    counted = nexus.counters()
    assert (counted["blocked_user_blacklisted"], counted["blocked_sensitive_word_detected"]) == (1, 1)


async def test_maintenance_answers_in_private_once_and_in_a_group_only_when_mentioned(scene: CoreScene) -> None:
    await scene.configure({"system_control": {"maintenance_mode": True, "maintenance_reply": "back at 8"}})
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    mention: dict[str, Any] = {
        "message": [{"type": "at", "data": {"qq": "10001"}}, {"type": "text", "data": {"text": " hi"}}]
    }
    for frame in (said(1, "x"), said(2, "x", group=0), said(3, "x", group=0), said(4, **mention)):
        await bot.send(frame)
    assert await spoken(bot) == (
        "back at 8",
        {"user_id": 7, "message": [{"data": {"text": "back at 8"}, "type": "text"}]},
    )
    assert (await spoken(bot))[1]["group_id"] == 456
    await until(lambda: nexus.counters()["blocked_maintenance"] == 4)
    assert nexus.counters()["core_answers"] == 2


async def test_a_change_acts_in_two_nexuses_within_a_second(scene: CoreScene) -> None:
    nexuses = [await scene.nexus("n1"), await scene.nexus("n2")]
    await asyncio.sleep(0.5)  # the subscriptions are made side by side with the start
    await scene.configure({"system_control": {"open": False}})
    assert await until(lambda: all(one.core.state.judge.closed for one in nexuses)) < 1


async def test_a_change_whose_signal_is_lost_acts_within_ten_seconds(scene: CoreScene) -> None:
    nexuses = [await scene.nexus("n1"), await scene.nexus("n2")]
    document = changed(CoreConfig(), {"system_control": {"open": False}}).to_json()
    await scene.client.call("MSET", KEYS.core_config, document, KEYS.core_version, "1")
    await until(lambda: all(one.core.state.judge.closed for one in nexuses), seconds=10)


async def test_an_administrator_closes_and_opens_and_is_answered_while_closed(scene: CoreScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "/system close", user=ADMIN, group=0))
    text, params = await spoken(bot)
    assert ("The system is closed" in text, params["user_id"]) == (True, ADMIN)
    assert nexus.core.state.judge.closed
    await bot.send(said(2, "hello"))
    await bot.send(said(3, "/nexus status", user=ADMIN))
    text, params = await spoken(bot)
    assert ("关闭 closed" in text, params["group_id"]) == (True, 456)
    await bot.send(said(4, "/system open", user=ADMIN))
    assert "The system is open" in (await spoken(bot))[0]
    await bot.send(said(5, "hello"))
    assert await scene.heard(lane, 1) == [5]
    assert nexus.counters()["blocked_admin_command"] == 3


async def test_in_a_group_a_dangerous_verb_must_be_confirmed(scene: CoreScene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "/system close", user=ADMIN))
    assert "/system close confirm" in (await spoken(bot))[0]
    assert not nexus.core.state.judge.closed
    await bot.send(said(2, "/system close confirm", user=ADMIN))
    assert "closed" in (await spoken(bot))[0]
    assert nexus.core.state.judge.closed


async def test_an_administrator_edits_a_list_for_every_nexus(scene: CoreScene) -> None:
    first, second = await scene.nexus("n1"), await scene.nexus("n2")
    bot = await scene.bot(first)
    await bot.send(said(1, "/system blacklist add user 123", user=ADMIN, group=0))
    assert "123" in (await spoken(bot))[0]
    await until(lambda: second.core.state.judge.config.permissions.blacklist.system == ["123"])
    await bot.send(said(2, "/system blacklist remove user 123", user=ADMIN, group=0))
    await spoken(bot)
    await until(lambda: second.core.state.judge.config.permissions.blacklist.system == [])


OWNER: dict[str, Any] = {"sender": {"user_id": ADMIN, "role": "owner"}}


@pytest.mark.parametrize(
    "frame",
    [
        said(1, "/system close", **OWNER),
        said(1, "/system close", group=0, **OWNER),
        said(1, "/nexus close confirm", user=7, role="owner"),
        said(1, "/system close confirm", user=ADMIN, sub_type="anonymous", anonymous={"id": 1}),
        said(1, f"/system blacklist add user {ADMIN} confirm", user=7),
        said(1, "please /system close", user=ADMIN),
    ],
)
async def test_the_verb_of_anybody_else_travels_on_and_does_nothing(scene: CoreScene, frame: str) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(frame)
    (delivery,) = await scene.read(lane, 1)
    assert bytes(decode_envelope(delivery.payload).event) == frame.encode()
    assert nexus.core.state.judge.config == CoreConfig()
    assert nexus.counters()["core_answers"] == 0


async def test_an_administrator_of_another_platform_is_none(scene: CoreScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    nexus.hub.bots["qq:10001"].platform = "wx"
    await bot.send(said(1, "/system close", user=ADMIN, group=0))
    assert await scene.heard(lane, 1) == [1]


async def test_the_figures_of_today_and_the_last_blocked_are_written(scene: CoreScene) -> None:
    await scene.configure({"permissions": {"blacklist": {"system": ["8"]}}})
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    for number in range(3):
        await bot.send(said(number, "x" * 200, user=8 if number else 7))
    await until(lambda: nexus.counters()["received"] == 3)
    await nexus.core.figures.flush()
    box, day = CoreBox(scene.client, KEYS), day_of(time.time())
    assert await box.top(day, "user", 5) == [("qq:8", 2), ("qq:7", 1)]
    assert await box.top(day, "group", 5) == [("qq:456", 3)]
    assert await box.top(day, "bot", 5) == [("qq:10001", 3)]
    assert await box.top(day, "reason", 5) == [("user_blacklisted", 2)]
    newest = json.loads((await box.blocked())[0])
    assert (newest["user"], newest["reason"], len(newest["text"])) == ("8", "user_blacklisted", 80)
    assert 0 < await scene.client.call("TTL", KEYS.core_stats(f"{day}:user")) <= 3 * 86_400


async def test_a_start_without_redis_judges_by_the_last_good_copy(own_valkey: ValkeyProcess, home: Path) -> None:
    async with AsyncExitStack() as stack:
        scene = CoreScene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        await scene.configure({"system_control": {"open": False}})
        first = await scene.nexus("n1")
        await until((home / "core-config.json").exists)
        assert stat.S_IMODE((home / "core-config.json").stat().st_mode) == 0o600
        own_valkey.stop(kill=True)
        assert first.core.state.judge.closed
        second = await scene.nexus("n2")
        assert second.core.state.judge.closed
        own_valkey.start()


async def test_a_document_that_can_not_be_used_leaves_the_last_one(scene: CoreScene) -> None:
    await scene.configure({"system_control": {"open": False}})
    nexus = await scene.nexus()
    await scene.client.call("MSET", KEYS.core_config, '{"enabled": "perhaps"}', KEYS.core_version, "2")
    await nexus.core.state.look()
    assert nexus.core.state.judge.closed
    await scene.configure({}, version=3)
    await until(lambda: not nexus.core.state.judge.closed)


async def test_of_two_changes_at_once_neither_is_lost(scene: CoreScene) -> None:
    first, second = await scene.nexus("n1"), await scene.nexus("n2")

    def adds(name: str) -> Callable[[CoreConfig], CoreConfig]:
        return lambda config: changed(
            config, {"permissions": {"blacklist": {"system": [*config.permissions.blacklist.system, name]}}}
        )

    await asyncio.gather(first.core.state.replace(adds("1")), second.core.state.replace(adds("2")))
    await asyncio.gather(first.core.state.look(), second.core.state.look())
    for nexus in (first, second):
        assert set(nexus.core.state.judge.config.permissions.blacklist.system) == {"1", "2"}
