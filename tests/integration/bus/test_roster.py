"""What Redis says of lanes and workers, whatever somebody wrote there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from botmatrix.bus.client import Client
from botmatrix.bus.controls import Controls
from botmatrix.bus.keys import Keys
from botmatrix.bus.presence import Presence
from botmatrix.bus.roster import read_lanes
from botmatrix.bus.settings import SettingsBox
from botmatrix.control.restart import Restart

KEYS = Keys()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    client = Client(redis_url, name="test")
    yield client
    await client.close()


async def test_names_that_are_no_text_stop_nobody(client: Client) -> None:
    await client.call("SADD", KEYS.parkings, b"wait:\xff\xfe", b"wait:w1")
    await client.call("HSET", KEYS.own, b"\xff", b"\xff", "w2", "1|w2.aaaaaaaa")
    assert {"wait:w1", "w2"} < {view.lane for view in await read_lanes(client, KEYS)}


async def test_a_restart_leaves_out_what_is_behind_a_socket(client: Client, redis_url: str) -> None:
    presence = Presence(redis_url, KEYS, name="test-presence")
    restart = Restart("control-c1.aaaaaaaa", presence, Controls(client, KEYS), SettingsBox(client, KEYS))
    try:
        await presence.announce("w1", {"transport": "stream", "incarnation": "w1.aaaaaaaa"})
        await presence.announce("nonebot", {"transport": "onebot", "incarnation": "n1.aaaaaaaa"})
        parts = await restart.begin()
        assert [part.name for part in parts] == ["w1", "control-c1"]
    finally:
        await restart.close()
        await presence.close()
