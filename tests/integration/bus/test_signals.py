"""Subscriptions that come back by themselves."""

from __future__ import annotations

import asyncio

import pytest
from tests.conftest import ValkeyProcess

from botmatrix.bus import signals
from botmatrix.bus.client import Client
from botmatrix.bus.signals import Signals


async def told(url: str, heard: asyncio.Queue[bytes]) -> None:
    """Say something until it is heard: a subscription takes a moment."""
    client = Client(url, name="teller")
    async with asyncio.timeout(15):
        while heard.empty():
            await client.call("PUBLISH", "news", "hello")
            await asyncio.sleep(0.02)
    await client.close()


async def test_a_subscription_survives_a_restart_of_redis(own_valkey: ValkeyProcess) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    listener = Signals(own_valkey.url, name="listener")
    listener.subscribe("news", heard.put_nowait)
    await told(own_valkey.url, heard)
    own_valkey.stop(kill=True)
    own_valkey.start()
    heard = asyncio.Queue()
    listener.subscribe("news", heard.put_nowait)
    await told(own_valkey.url, heard)
    await listener.close()


async def test_a_link_without_a_sign_of_life_is_opened_anew(
    own_valkey: ValkeyProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "SILENCE", 0.3)
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    listener = Signals(own_valkey.url, name="listener")
    listener.subscribe("news", heard.put_nowait)
    await told(own_valkey.url, heard)
    first = listener._connection
    assert first is not None
    own_valkey.pause()
    async with asyncio.timeout(10):
        while not first.closed:
            await asyncio.sleep(0.01)
    own_valkey.resume()
    heard = asyncio.Queue()
    listener.subscribe("news", heard.put_nowait)
    await told(own_valkey.url, heard)
    await listener.close()
