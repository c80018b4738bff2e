"""Bots' own tokens, kicks and bans, at nexuses that read them from Redis."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import KEYS, Scene, dial
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from botmatrix.bus.access import Access, AccessBox
from botmatrix.bus.handshakes import HandshakeBox
from botmatrix.nexus.access import Gatekeeper


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def publish(scene: Scene, access: Access) -> None:
    box = AccessBox(scene.client, KEYS)
    assert await box.write(access.encode(), expected=await box.version())


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_token_of_the_bots_own_counts_in_place_of_the_common_one(scene: Scene) -> None:
    nexus = await scene.nexus()
    await publish(scene, Access(tokens={"qq:10001": digest("its own")}))
    await until(lambda: not nexus.access.opens("qq:10001", "secret"), 1)
    with pytest.raises(InvalidStatus) as refused:
        await dial(nexus)
    assert refused.value.response.status_code == 403
    assert nexus.access.opens("qq:10001", "its own")
    assert nexus.access.opens("qq:2", "secret")
    assert not nexus.access.opens("qq:2", "its own")
    assert nexus.access.opens(None, "its own"), "a bot that has not said who it is may come in with it"
    assert not nexus.access.opens(None, "something else")


async def test_links_whose_token_is_void_are_closed(scene: Scene) -> None:
    nexus = await scene.nexus()
    link, other = await scene.bot(nexus, 10001), await scene.bot(nexus, 10002)
    await publish(scene, Access(tokens={"qq:10001": digest("its own")}))
    await asyncio.wait_for(link.wait_closed(), 5)
    assert link.close_code == 4003
    assert other.close_code is None


async def test_a_kick_closes_the_links_at_whichever_nexus_and_a_ban_keeps_them_away(scene: Scene) -> None:
    one, two = await scene.nexus("n1"), await scene.nexus("n2")
    links = [await scene.bot(one, 10001), await scene.bot(two, 10002)]
    soon = time.time() + 60
    await publish(scene, Access(kicks={"qq:10001": 1, "qq:10002": 1}, bans={"qq:10002": soon}))
    for link in links:
        await asyncio.wait_for(link.wait_closed(), 5)
        assert link.close_code == 4010
    await (await dial(one, 10001)).close()
    for nexus in (one, two):
        with pytest.raises(InvalidStatus) as refused:
            await dial(nexus, 10002)
        assert refused.value.response.status_code == 403
        assert b"operator" in refused.value.response.body
        assert 50 < int(refused.value.response.headers["Retry-After"]) <= 60
    await publish(scene, Access(kicks={"qq:10001": 1, "qq:10002": 1}, bans={"qq:10002": time.time() - 1}))
    await until(lambda: not two.access.banned("qq:10002"))
    await (await dial(two, 10002)).close()


async def test_kicks_of_the_past_and_lost_signals_do_no_harm(scene: Scene) -> None:
    await publish(scene, Access(kicks={"qq:10001": 3}))
    nexus = await scene.nexus()
    link = await scene.bot(nexus)
    silent = Access(kicks={"qq:10001": 3}, tokens={"qq:5": digest("five")})
    await scene.client.call("MSET", KEYS.access, silent.encode(), KEYS.access_version, "set without a signal")
    await until(lambda: nexus.access.opens("qq:5", "five"))
    assert link.close_code is None
    for broken in (
        b"{broken",
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff",
        b'{"tokens": {"qq:5": "z"}}',
    ):
        await scene.client.call("MSET", KEYS.access, broken, KEYS.access_version, broken[:9])
        await nexus.access.look()
        assert nexus.access.opens("qq:5", "five")
    await scene.client.call("DEL", KEYS.access, KEYS.access_version)
    await nexus.access.look()
    assert nexus.access.opens("qq:5", "five"), "a Redis that lost its data opens no door"


async def test_the_last_good_copy_serves_while_redis_is_away(own_valkey: ValkeyProcess, home: Path) -> None:
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        await publish(scene, Access(tokens={"qq:10001": digest("its own")}))
        first = await scene.nexus()
        await until(lambda: (first.settings.home.root / "access.json").exists())
        own_valkey.stop(kill=True)
        keeper = Gatekeeper(
            AccessBox(scene.client, KEYS), first.settings.home, first.hub, lambda: "secret", first.hub.clock
        )
        keeper.restore()
        assert keeper.opens("qq:10001", "its own")
        assert not keeper.opens("qq:10001", "secret")
        assert (first.settings.home.root / "access.json").stat().st_mode & 0o077 == 0
        own_valkey.start()


async def test_a_refused_handshake_is_told_to_everybody_without_its_token(scene: Scene) -> None:
    nexus = await scene.nexus()
    url = f"ws://127.0.0.1:{nexus.gateway.port}/onebot/v11/ws?access_token=hunter2hunter2"
    with pytest.raises(InvalidStatus):
        await connect(url, additional_headers={"X-Self-ID": "10001"}, proxy=None)
    box = HandshakeBox(scene.client, KEYS)
    async with asyncio.timeout(5):
        while not (found := await box.recent(time.time())):
            await asyncio.sleep(0.05)
    (one,) = found
    assert (one.status, one.self_id, one.nexus) == (403, "10001", nexus.inc)
    assert one.cure
    assert b"hunter2" not in (await scene.client.call("LINDEX", KEYS.handshakes, 0))
    assert await box.recent(time.time() + 3601) == []


async def test_what_a_bot_says_of_its_groups_is_put_where_control_finds_it(scene: Scene) -> None:
    nexus = await scene.nexus()
    await scene.bot(nexus)
    bot = nexus.hub.bots["qq:10001"]
    for groups in ({"100": "家"}, {"100": "家", "200": "Work"}):
        bot.groups = groups
        nexus.hub.observer.on_change(bot)
        async with asyncio.timeout(5):
            while await scene.client.call("GET", KEYS.groups("qq:10001")) is None or len(await _groups(scene)) != len(
                groups
            ):
                await asyncio.sleep(0.05)
        assert await _groups(scene) == groups
    assert len(await scene.client.call("HGET", KEYS.bot("qq:10001"), "groups_mark")) == 16


async def _groups(scene: Scene) -> dict[str, str]:
    return msgspec.json.decode(await scene.client.call("GET", KEYS.groups("qq:10001")), type=dict[str, str])
