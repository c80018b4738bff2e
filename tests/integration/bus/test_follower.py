"""Settings that reach a running process, and requests to start again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.conftest import ValkeyProcess

from botmatrix.bus.client import Client
from botmatrix.bus.follower import Follower
from botmatrix.bus.keys import Keys
from botmatrix.bus.settings import SettingsBox, version_of
from botmatrix.config import Current, Stored, load, remembered

KEYS = Keys()


async def until(true: Callable[[], bool], seconds: float = 10) -> float:
    """Wait until something is so; how long it took."""
    started = time.monotonic()
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)
    return time.monotonic() - started


class Stage:
    """A process that follows, and somebody who writes what control writes."""

    def __init__(self, url: str, home: Path) -> None:
        self.current = Current(load(home, {"redis_url": url, "bot_token": "b0t-token"}, {}))
        self.client = Client(url, name="stage")
        self.box = SettingsBox(self.client, KEYS)
        self.follower = Follower(self.current, KEYS, "n1.aa")
        self.asked: list[bool] = []
        self.follower.on_restart = lambda: self.asked.append(True)
        self.task = asyncio.create_task(self.follower.run())

    async def subscribed(self) -> None:
        async with asyncio.timeout(10):
            while (await self.client.call("PUBSUB", "NUMSUB", KEYS.settings_changed))[1] == 0:
                await asyncio.sleep(0.01)

    async def publish(self, **values: object) -> None:
        published = await self.box.read()
        document = Stored(values, bound=("tg:1",)).document()
        assert await self.box.publish(document, expected=published.version if published else "")


@pytest.fixture
async def stage(redis_url: str, home: Path) -> AsyncIterator[Stage]:
    stage = Stage(redis_url, home)
    await stage.subscribed()
    yield stage
    stage.task.cancel()
    await asyncio.gather(stage.task, return_exceptions=True)
    await stage.client.close()


async def test_a_nudge_brings_them_at_once_and_a_copy_is_kept(stage: Stage) -> None:
    await stage.publish(command_prefixes=["!"], worker_pool="other", bot_token="new")
    assert await until(lambda: stage.current.running.command_prefixes == ("!",)) < 1.0
    assert stage.current.running.commanders == ("tg:1",)
    assert stage.current.running.bot_token == "b0t-token", "a flag is stronger"
    assert stage.current.pending == ("worker_pool",)
    home = stage.current.running.home
    await until(home.settings.exists)
    assert remembered(home)[0].values["worker_pool"] == "other"


async def test_a_lost_nudge_heals(stage: Stage) -> None:
    document = Stored({"command_prefixes": ["#"]}).document()
    await stage.client.call("MSET", KEYS.settings, document, KEYS.settings_version, version_of(document))
    assert await until(lambda: stage.current.running.command_prefixes == ("#",)) < 5.0


async def test_junk_leaves_them_as_they_are(stage: Stage) -> None:
    await stage.publish(command_prefixes=["!"])
    await until(lambda: stage.current.running.command_prefixes == ("!",))
    await stage.client.call("MSET", KEYS.settings, "\x00{", KEYS.settings_version, "junk")
    await stage.follower.look()
    assert stage.current.running.command_prefixes == ("!",)
    await stage.publish(command_prefixes=5, log_level="loud")
    await stage.follower.look()
    assert (stage.current.running.command_prefixes, stage.current.running.log_level) == (("/",), "info")


async def test_a_process_is_asked_once(stage: Stage) -> None:
    await stage.box.restart("n2.bb")
    await stage.box.restart("n1.aa")
    await until(lambda: bool(stage.asked))
    await stage.follower.look()
    assert stage.asked == [True]


async def test_redis_may_go_and_come(own_valkey: ValkeyProcess, home: Path) -> None:
    stage = Stage(own_valkey.url, home)
    await stage.subscribed()
    await stage.publish(command_prefixes=["!"])
    await until(lambda: stage.current.running.command_prefixes == ("!",))
    own_valkey.stop(kill=True)
    await asyncio.to_thread(own_valkey.start)
    stage.client = Client(own_valkey.url, name="again")
    stage.box = SettingsBox(stage.client, KEYS)
    await stage.publish(command_prefixes=["#"])
    await until(lambda: stage.current.running.command_prefixes == ("#",))
    stage.task.cancel()
    await asyncio.gather(stage.task, return_exceptions=True)
    await stage.client.close()
