"""Which nexus dials a bot's own server, on a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import KEYS
from tests.integration.nexus.test_access import until

from botmatrix.bus.client import Client
from botmatrix.config.secret import Secret
from botmatrix.config.settings import BotServer
from botmatrix.nexus.sockets import forward
from botmatrix.nexus.sockets.forward import ForwardBots
from botmatrix.nexus.sockets.servers import AnyBot

ONE, OTHER = BotServer("ws://127.0.0.1:1/one"), BotServer("ws://127.0.0.1:1/other")
Nexuses = Callable[[str], "Held"]


class Held:
    """A nexus, as far as it dials: what it keeps up."""

    def __init__(self, url: str, inc: str) -> None:
        self.kept: list[AnyBot] = []
        self.client = Client(url, name=f"test-{inc}", timeout=1.0)
        self.bots = ForwardBots(self, self.client, KEYS, inc)
        self.task = asyncio.create_task(self.bots.run())

    def keep(self, server: AnyBot) -> None:
        self.kept.append(server)

    def drop(self, server: AnyBot) -> None:
        self.kept.remove(server)

    async def die(self) -> None:
        """Without a word."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.client.close()


@pytest.fixture
async def nexuses(own_valkey: ValkeyProcess, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Nexuses]:
    monkeypatch.setattr(forward, "EVERY", 0.1)
    monkeypatch.setattr(forward, "LEASE_MS", 3000)
    async with AsyncExitStack() as stack:

        def start(inc: str) -> Held:
            held = Held(own_valkey.url, inc)
            stack.push_async_callback(held.die)
            return held

        yield start


async def test_each_server_is_dialled_by_one_nexus_and_by_another_when_that_dies(nexuses: Nexuses) -> None:
    first, second = nexuses("n1.a"), nexuses("n2.b")
    first.bots.configure([ONE, OTHER])
    await until(lambda: len(first.kept) == 2, 20)
    second.bots.configure([ONE, OTHER])
    await asyncio.sleep(0.5)
    assert not second.kept
    await first.die()
    await until(lambda: second.kept == [ONE, OTHER], 20)


async def test_an_orderly_stop_leaves_them_to_the_other_at_once(nexuses: Nexuses) -> None:
    first, second = nexuses("n1.a"), nexuses("n2.b")
    first.bots.configure([ONE])
    await until(lambda: first.kept == [ONE], 20)
    second.bots.configure([ONE])
    first.bots.stop()
    await first.bots.release()
    assert await second.client.call("GET", KEYS.dialler("bot at 127.0.0.1:1/one")) != b"n1.a"
    await until(lambda: second.kept == [ONE], 20)


async def test_while_redis_is_away_what_is_dialled_stays(nexuses: Nexuses, own_valkey: ValkeyProcess) -> None:
    only = nexuses("n1.a")
    only.bots.configure([ONE])
    await until(lambda: only.kept == [ONE], 20)
    own_valkey.stop(kill=True)
    await asyncio.sleep(1.5)
    assert only.kept == [ONE]
    own_valkey.start()
    only.bots.configure([ONE, OTHER])
    await until(lambda: only.kept == [ONE, OTHER], 20)


async def test_settings_that_change_while_redis_is_asked_count(nexuses: Nexuses, own_valkey: ValkeyProcess) -> None:
    only = nexuses("n1.a")
    other_token = BotServer(ONE.url, Secret("another-token"))
    own_valkey.pause()
    try:
        only.bots.configure([ONE, OTHER])
        await asyncio.sleep(0.3)  # the question is under way
        only.bots.configure([other_token])
    finally:
        own_valkey.resume()
    await until(lambda: bool(only.kept), 20)
    await asyncio.sleep(0.5)
    assert only.kept == [other_token]
