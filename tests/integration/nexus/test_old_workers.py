"""An old worker that never registers, behind a whole nexus: a thousand messages of two bots, each answered once."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import KEYS, Scene
from tests.integration.nexus.test_sockets import worker_link
from websockets.asyncio.client import ClientConnection

from botmatrix.nexus.app import Nexus
from botmatrix.nexus.sockets import asker

MESSAGES = 1000
BOTS = (10001, 20002)


@pytest.fixture
async def stage(own_valkey: ValkeyProcess, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene on a Valkey that may be killed."""
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, tmp_path, stack)
        yield scene
    await scene.client.close()
    await scene.lanes.close()


class Speaker:
    """A bot that says things in private and in its group, and counts what comes back."""

    def __init__(self, link: ClientConnection, self_id: int) -> None:
        self.link, self.self_id = link, self_id
        self.heard: Counter[tuple[str, str]] = Counter()
        self.mute = False

    async def say(self, number: int) -> None:
        """One message; odd ones in the group."""
        event = {"post_type": "message", "self_id": self.self_id, "time": 1, "message_id": number, "user_id": 7}
        group = {"message_type": "group", "group_id": self.self_id * 10} if number % 2 else {"message_type": "private"}
        await self.link.send(json.dumps({**event, **group, "message": str(number), "raw_message": str(number)}))

    async def live(self) -> None:
        """Answer actions."""
        async for payload in self.link:
            action = json.loads(payload)
            data: Any = None
            if action["action"] == "get_group_list":
                data = [{"group_id": self.self_id * 10, "group_name": "Group"}]
            elif action["action"] == "send_msg":
                params = action["params"]
                self.heard[str(params.get("group_id") or params["user_id"]), params["message"]] += 1
            if not self.mute or action["action"] != "get_status":
                await self.link.send(json.dumps({"status": "ok", "retcode": 0, "data": data, "echo": action["echo"]}))


class OldWorker:
    """Answers each event, by turns in each of the ways that old workers know."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self._came = asyncio.Event()
        self._numbers = itertools.count()

    async def live(self) -> None:
        """Answer events, keep answers."""
        async for payload in self.link:
            frame = json.loads(payload)
            if "post_type" in frame:
                await self.link.send(json.dumps(self._reply(frame)))
            else:
                self.answers.setdefault(frame["echo"], []).append(frame)
                self._came.set()

    def _reply(self, event: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        where: dict[str, Any] = {name: event[name] for name in ("group_id", "user_id") if name in event}
        self_id, text = event["self_id"], f"re {event['raw_message']}"
        match number % 4:
            case 0:
                return {"reply": text, "self_id": self_id, "echo": event["echo"], **where}
            case 1:
                return {"action": "send_msg", "params": {**where, "message": text}, "self_id": self_id, "echo": "1"}
            case 2:
                return {"action": "send_msg", "params": {**where, "message": text, "self_id": self_id}, "echo": "1"}
            case _:
                named = {} if "group_id" in where else {"self_id": self_id}
                return {"action": "send_msg", "params": {**where, "message": text}, "echo": "1", **named}

    async def ask(self, echo: str, **fields: Any) -> dict[str, Any]:
        """The one answer to a request."""
        await self.link.send(json.dumps({**fields, "echo": echo}))
        async with asyncio.timeout(10):
            while echo not in self.answers:
                self._came.clear()
                await self._came.wait()
        return self.answers[echo][0]


@pytest.mark.parametrize("redis", ["up", "stopped"])
async def test_an_old_worker_answers_a_thousand_messages_and_hears_of_each_error(
    stage: Scene, own_valkey: ValkeyProcess, redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asker, "TIMEOUT", 2.0)
    nexus = await stage.nexus()
    speakers = [Speaker(await stage.bot(nexus, self_id), self_id) for self_id in BOTS]
    worker = OldWorker(await worker_link(stage, nexus, "/ws/workers"))
    tasks = [asyncio.create_task(speaker.live()) for speaker in speakers] + [asyncio.create_task(worker.live())]
    async with asyncio.timeout(10):
        while not all(nexus.hub.bots[f"qq:{self_id}"].groups for self_id in BOTS):
            await asyncio.sleep(0.02)
    if redis == "stopped":
        own_valkey.stop(kill=True)
    for number in range(MESSAGES):
        await speakers[number % 2 ^ (number // 2) % 2].say(number)
    async with asyncio.timeout(30):
        while sum(sum(speaker.heard.values()) for speaker in speakers) < MESSAGES:
            await asyncio.sleep(0.02)
    for index, speaker in enumerate(speakers):
        said = [n for n in range(MESSAGES) if n % 2 ^ (n // 2) % 2 == index]
        due = {(str(speaker.self_id * 10) if n % 2 else "7", f"re {n}"): 1 for n in said}
        assert speaker.heard == due

    async def gone() -> bool:
        return redis == "stopped" or await stage.client.call("HGET", KEYS.bot("qq:20002"), "state") == b"offline"

    await _every_error(nexus, speakers, worker, gone)
    assert all(len(answers) == 1 for echo, answers in worker.answers.items() if echo != "1")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _every_error(
    nexus: Nexus, speakers: list[Speaker], worker: OldWorker, gone: Callable[[], Awaitable[bool]]
) -> None:
    unknown = await worker.ask("unknown", action="send_msg", self_id="999", params={"user_id": "7", "message": "x"})
    assert (unknown["status"], unknown["retcode"], unknown["data"]) == ("failed", 1404, None)
    nameless = await worker.ask("nameless", action="send_msg", params={"user_id": "7", "message": "x"})
    assert (nameless["retcode"], nameless["msg"][:16]) == (1404, "No Bot available")
    speakers[0].mute = True
    late = await worker.ask("late", action="get_status", self_id="10001")
    assert (late["retcode"], late["msg"][:15]) == (1401, "Request timeout")
    await speakers[1].link.close()
    async with asyncio.timeout(10):
        while nexus.hub.bots["qq:20002"].links or not await gone():
            await asyncio.sleep(0.02)
    away = await worker.ask("away", action="send_msg", self_id="20002", params={"user_id": "7", "message": "x"})
    assert (away["retcode"], away["msg"][:28]) == (1400, "Failed to forward to any Bot")
