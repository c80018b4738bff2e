"""Which bot speaks where."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.speakers import FRESH, Speakers
from botmatrix.clock import ManualClock
from botmatrix.errors import ActionFailed

KEYS = Keys()


class Stage:
    def __init__(self, client: Client) -> None:
        self.client, self.clock = client, ManualClock()
        self.speakers = Speakers(client, KEYS, self.clock)

    async def bot(self, name: str, *groups: str, nexus: str = "n.1", state: str = "online") -> None:
        await self.client.call("SADD", KEYS.bots, name)
        await self.client.call("HSET", KEYS.bot(name), "nexus", nexus, "state", state)
        if groups:
            await self.client.call("SET", KEYS.groups(name), json.dumps(dict.fromkeys(groups, "name")))

    async def choose(self, kind: str, id: str, preferred: str = "") -> str:
        self.clock.advance(FRESH + 1)
        return await self.speakers.choose("qq", kind, id, preferred)


@pytest.fixture
async def stage(redis_url: str) -> AsyncIterator[Stage]:
    client = Client(redis_url, name="stage")
    await client.call("SET", KEYS.lease("n.1"), "1")
    yield Stage(client)
    await client.close()


async def test_a_bot_speaks_that_is_in_the_group_and_online(stage: Stage) -> None:
    await stage.bot("qq:1", "100")
    await stage.bot("qq:2", "200", "300")
    await stage.bot("qq:3", "300", state="offline")
    await stage.bot("qq:4", "400", nexus="n.dead")
    await stage.bot("qq:5")
    await stage.bot("kook:1", "200")
    assert await stage.choose("group", "100") == "qq:1"
    assert await stage.choose("group", "200", "qq:1") == "qq:2"
    assert await stage.choose("group", "300", "qq:3") == "qq:2"
    assert await stage.choose("group", "400", "qq:1") == "qq:5"  # it has not told of its groups
    assert await stage.choose("group", "900") == "qq:5"
    assert await stage.choose("private", "7", "qq:2") == "qq:2"
    assert await stage.choose("private", "7") == "qq:1"


async def test_nobody_there_is_told(stage: Stage) -> None:
    with pytest.raises(ActionFailed, match="no bot on qq"):
        await stage.choose("private", "7")
    await stage.bot("qq:1", "100")
    with pytest.raises(ActionFailed, match="no bot in qq:group:200"):
        await stage.choose("group", "200")


async def test_a_bot_that_is_offline_speaks_when_no_other_can(stage: Stage) -> None:
    await stage.bot("qq:1", "100", state="offline")
    assert await stage.choose("group", "100") == "qq:1"
