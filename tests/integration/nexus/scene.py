"""A nexus on a real Valkey, with a bot on one side and a lane's owner on the other."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import ActionEntry, Envelope, decode_envelope
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.lanes import Delivery, Lane, Lanes, Settlement
from botmatrix.config import load
from botmatrix.nexus.app import Nexus

KEYS = Keys()
WORKER = "w1.bbbbbbbb"


def dial(nexus: Nexus, self_id: int = 10001) -> connect:
    """A bot that connects."""
    headers = {"X-Self-ID": str(self_id), "Authorization": "Bearer secret"}
    return connect(f"ws://127.0.0.1:{nexus.gateway.port}/onebot/v11/ws", additional_headers=headers, proxy=None)


class Scene:
    """What a test needs of the other side: a bot, a worker's bus, a look into Redis."""

    def __init__(self, url: str, home: Path, stack: AsyncExitStack) -> None:
        self.url, self.home, self.stack = url, home, stack
        self.client = Client(url, name="test")
        self.lanes = Lanes(url, KEYS, WORKER)

    async def nexus(self, name: str = "n1", *, lease_ttl: float = 10.0) -> Nexus:
        """A running nexus on a free port."""
        flags = {"redis_url": self.url, "nexus_id": name, "ws_port": 0, "bot_token": "secret"}
        nexus = Nexus(load(self.home, flags, {}), lease_ttl=lease_ttl)
        await nexus.start()
        self.stack.push_async_callback(nexus.stop)
        return nexus

    async def bot(self, nexus: Nexus, self_id: int = 10001) -> ClientConnection:
        """A bot's link; its first two actions are answered."""
        link = await dial(nexus, self_id)
        self.stack.push_async_callback(link.close)
        while nexus.hub.bots.get(f"qq:{self_id}") is None or not nexus.hub.bots[f"qq:{self_id}"].epoch:
            await asyncio.sleep(0.005)
        return link

    async def worker(self) -> Lane:
        """A lane with a living owner that takes events."""
        lane = await self.lanes.join("w1")
        assert lane is not None
        await self.client.call("SET", KEYS.lease(WORKER), "1")
        await self.client.call("HSET", KEYS.presence("w1"), "transport", "stream")
        await self.client.call("PUBLISH", KEYS.presence_changed, "w1")
        return lane

    async def read(self, lane: Lane, count: int) -> list[Delivery]:
        """So many deliveries."""
        found: list[Delivery] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                found += await self.lanes.read(lane, 64, 200)
        return found

    async def settle(self, lane: Lane, delivery: Delivery, *actions: ActionEntry) -> None:
        envelope = decode_envelope(delivery.payload)
        await self.lanes.settle(lane, [Settlement(delivery.entry_id, envelope.nexus, envelope.t, actions)])


def message(number: int, group: int = 456) -> str:
    return json.dumps(
        {
            **{"post_type": "message", "message_type": "group", "sub_type": "normal", "self_id": 10001},
            **{"time": 1_700_000_000, "message_id": number, "group_id": group, "user_id": 7},
            **{"message": [{"type": "text", "data": {"text": str(number)}}], "raw_message": str(number)},
        }
    )


def reply(text: str, aid: str = "a1", *, lives: float = 30.0, action: str = "send_group_msg") -> ActionEntry:
    params = msgspec.Raw(json.dumps({"group_id": 456, "message": text}).encode())
    return ActionEntry(bot="qq:10001", aid=aid, action=action, params=params, exp=int((time.time() + lives) * 1000))


async def next_action(link: ClientConnection) -> dict[str, Any]:
    """The next action that is no question about the bot itself."""
    async with asyncio.timeout(10):
        while True:
            frame: dict[str, Any] = json.loads(await link.recv())
            if not frame["action"].startswith("get_"):
                return frame


async def answer(link: ClientConnection, frame: dict[str, Any], **data: Any) -> None:
    await link.send(json.dumps({"status": "ok", "retcode": 0, "data": data, "echo": frame["echo"]}))


async def emptied(client: Client, key: str) -> None:
    async with asyncio.timeout(10):
        while await client.call("XLEN", key):
            await asyncio.sleep(0.01)


async def parked(scene: Scene, count: int) -> None:
    """Until so many events are parked."""
    async with asyncio.timeout(10):
        while await scene.client.call("XLEN", KEYS.lane(PARKING)) < count:
            await asyncio.sleep(0.01)


def number_of(envelope: Envelope) -> int:
    number: int = json.loads(bytes(envelope.event))["message_id"]
    return number
