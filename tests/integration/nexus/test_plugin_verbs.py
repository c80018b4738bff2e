"""`/plugin` in a chat: done by the hub for chat administrators, passed on for everybody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.integration.nexus.scene import KEYS
from tests.integration.nexus.test_core import ADMIN, CoreScene, said, spoken

from botmatrix.bus.plugins import PluginsBox
from botmatrix.bus.presence import Presence
from botmatrix.core.plugins import Cell, PluginWishes, parse


@pytest.fixture
async def scene(redis_url: str, home: Path) -> AsyncIterator[CoreScene]:
    async with AsyncExitStack() as stack:
        scene = CoreScene(redis_url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        presence = Presence(redis_url, KEYS)
        await presence.announce("w9", {"pool": "far"})
        await presence.list_plugins("w9", json.dumps([{"id": "dice"}, {"id": "cards"}]).encode())
        await presence.close()
        yield scene


async def wanted(scene: CoreScene) -> PluginWishes:
    kept = await PluginsBox(scene.client, KEYS).read()
    return parse(kept.document) if kept else PluginWishes()


async def test_in_a_group_a_plugin_is_switched_for_this_group(scene: CoreScene) -> None:
    bot = await scene.bot(await scene.nexus())
    await bot.send(said(1, "/plugin off dice", user=ADMIN))
    assert "dice 已关闭 is off, 本群 in this group" in (await spoken(bot))[0]
    assert (await wanted(scene)).matrix == [Cell(plugin="dice", group="qq:456")]
    await bot.send(said(2, "/plugin list", user=ADMIN))
    assert (await spoken(bot))[0].splitlines() == ["cards ✓", "dice ✗ 本群关闭 off here"]
    await bot.send(said(3, "/Plugin on dice", user=ADMIN))
    assert "is on" in (await spoken(bot))[0]
    assert (await wanted(scene)).matrix == [Cell(plugin="dice", group="qq:456", on=True)]


async def test_in_private_a_plugin_is_switched_everywhere(scene: CoreScene) -> None:
    bot = await scene.bot(await scene.nexus())
    await bot.send(said(1, "/plugin off dice", user=ADMIN, group=0))
    assert "everywhere" in (await spoken(bot))[0]
    assert not (await wanted(scene)).wish("dice").enabled
    await bot.send(said(2, "/plugin list", user=ADMIN))
    assert "dice ✗ 关闭 off" in (await spoken(bot))[0]


async def test_it_works_while_the_system_is_closed(scene: CoreScene) -> None:
    await scene.configure({"system_control": {"open": False}})
    bot = await scene.bot(await scene.nexus())
    await bot.send(said(1, "/plugin list", user=ADMIN))
    assert "dice ✓" in (await spoken(bot))[0]


@pytest.mark.parametrize("text", ["/plugin", "/plugin off", "/plugin off a b", "/plugin explode dice"])
async def test_what_is_not_understood_is_explained(scene: CoreScene, text: str) -> None:
    bot = await scene.bot(await scene.nexus())
    await bot.send(said(1, text, user=ADMIN))
    assert "/plugin on|off NAME" in (await spoken(bot))[0]


async def test_a_name_that_nobody_has_changes_nothing(scene: CoreScene) -> None:
    bot = await scene.bot(await scene.nexus())
    await bot.send(said(1, "/plugin off chess", user=ADMIN))
    assert "there are: cards, dice" in (await spoken(bot))[0]
    assert await wanted(scene) == PluginWishes()


async def test_from_anybody_else_it_travels_on(scene: CoreScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "/plugin off dice", sender={"user_id": 7, "role": "owner"}))
    assert await scene.heard(lane, 1) == [1]
    assert await wanted(scene) == PluginWishes()
