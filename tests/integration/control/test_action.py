"""Actions through the REST interface, answered as a nexus would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import FINISH
from botmatrix.control.parts import Parts

KEYS = Keys()
NEXUS = "n1.aa"


class Nexus:
    """Reads one action and answers it as it was told to."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.answer = ("DONE", 0, "", b'{"message_id":9007199254740993}')
        self.seen: dict[str, Any] = {}

    async def serve_one(self) -> None:
        stream = KEYS.actions(NEXUS)
        read = await self.client.call("XREADGROUP", "GROUP", "g", "me", "BLOCK", 3000, "STREAMS", stream, ">")
        entry_id, fields = read[0][1][0]
        self.seen = json.loads(dict(zip(fields[::2], fields[1::2], strict=True))[b"payload"])
        reply_to, aid = self.seen["reply_to"], self.seen["aid"]
        await self.client.run(FINISH, [stream, KEYS.stats], KEYS.prefix, 60, 0, entry_id, aid, reply_to, *self.answer)


@pytest.fixture
async def nexus(parts: Parts, redis_url: str) -> AsyncIterator[Nexus]:
    """A nexus that holds the bot qq:10001."""
    client = Client(redis_url, name="nexus-of-the-test")
    await client.call("XGROUP", "CREATE", KEYS.actions(NEXUS), "g", "0", "MKSTREAM")
    await client.call("HSET", KEYS.bot("qq:10001"), "nexus", NEXUS, "epoch", "1", "state", "online", "link", "l1")
    await client.call("SADD", KEYS.bots, "qq:10001")
    await client.call("SADD", KEYS.nexuses, NEXUS)
    await client.call("SET", KEYS.lease(NEXUS), "1", "PX", 60_000)
    yield Nexus(client)
    await client.close()


async def ask(owner: httpx.AsyncClient, nexus: Nexus, **body: Any) -> httpx.Response:
    request = {"bot": "qq:10001", "action": "send_msg", "params": {"user_id": 2**63 - 1}, **body}
    request = {key: value for key, value in request.items() if value is not None}
    answer, _ = await asyncio.gather(owner.post("/api/action", json=request), nexus.serve_one())
    return answer


async def test_the_bots_own_answer_comes_back_byte_for_byte(owner: httpx.AsyncClient, nexus: Nexus) -> None:
    answer = await ask(owner, nexus)
    assert answer.status_code == 200
    assert b'"data":{"message_id":9007199254740993}' in answer.content
    assert answer.json()["status"] == "ok"
    assert (nexus.seen["action"], nexus.seen["params"]) == ("send_msg", {"user_id": 2**63 - 1})


@pytest.mark.parametrize("bot", [{"bot": None, "bot_id": 10001}, {"bot": "QQ:10001"}, {"bot": "10001"}])
async def test_a_bot_may_be_named_in_several_ways(owner: httpx.AsyncClient, nexus: Nexus, bot: dict[str, Any]) -> None:
    assert (await ask(owner, nexus, **bot)).status_code == 200
    assert nexus.seen["bot"] == "qq:10001"


async def test_a_failure_of_the_bot_is_an_answer(owner: httpx.AsyncClient, nexus: Nexus) -> None:
    nexus.answer = ("FAILED", 1404, "no such api", b"null")
    answer = await ask(owner, nexus)
    assert answer.status_code == 200
    assert answer.json() == {
        "success": False,
        "status": "failed",
        "retcode": 1404,
        "data": None,
        "message": "no such api",
    }


async def test_an_unknown_outcome_is_504(owner: httpx.AsyncClient, nexus: Nexus) -> None:
    nexus.answer = ("UNKNOWN", 0, "", b"null")
    answer = await ask(owner, nexus)
    assert (answer.status_code, answer.json()["error"]) == (504, "no_answer")


@pytest.mark.usefixtures("nexus")
async def test_an_action_that_nobody_takes_is_504(owner: httpx.AsyncClient) -> None:
    body = {"bot": "qq:10001", "action": "get_status", "timeout": 0.1}
    answer = await owner.post("/api/action", json=body)
    assert (answer.status_code, answer.json()["error"]) == (504, "not_sent")


async def test_an_unknown_bot_is_404_and_one_without_a_link_409(owner: httpx.AsyncClient, nexus: Nexus) -> None:
    unknown = await owner.post("/api/action", json={"bot": "qq:5", "action": "get_status"})
    await nexus.client.call("HSET", KEYS.bot("qq:10001"), "state", "offline", "link", "")
    offline = await owner.post("/api/action", json={"bot": "qq:10001", "action": "get_status"})
    assert (unknown.status_code, unknown.json()["error"]) == (404, "unknown_bot")
    assert (offline.status_code, offline.json()["error"]) == (409, "bot_offline")


async def test_a_bot_whose_nexus_is_gone_is_409_at_once(owner: httpx.AsyncClient, nexus: Nexus) -> None:
    await nexus.client.call("DEL", KEYS.lease(NEXUS))
    offline = await owner.post("/api/action", json={"bot": "qq:10001", "action": "get_status"})
    assert (offline.status_code, offline.json()["error"]) == (409, "bot_offline")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"action": "a"}',
        b'{"bot": "qq:1", "action": "a b"}',
        b'{"bot": true, "action": "a"}',
        b'{"bot": "qq:1", "action": "a", "params": []}',
        b'{"bot": "qq:1", "action": "a", "params": {"x": NaN}}',
        b'{"bot": "qq:1", "action": "a", "params": {"x": 1e999}}',
        b'{"bot": "qq:1", "action": "a", "timeout": NaN}',
        b'{"bot": "qq:1", "action": "a", "timeout": 1e9}',
        b"not json",
        b'{"bot": "\\ud800", "action": "a"}',
    ],
)
async def test_a_bad_request_is_refused_in_words(owner: httpx.AsyncClient, body: bytes) -> None:
    refused = await owner.post("/api/action", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 422
    assert refused.json()["message"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"params":' * 50_000, b"\xff\xfe", b'{"bot":"\xff"}'])
async def test_hostile_json_is_refused(owner: httpx.AsyncClient, body: bytes) -> None:
    refused = await owner.post("/api/action", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code in (400, 422)
    assert refused.json()["success"] is False


async def test_what_a_bot_was_made_to_do_is_written_down_and_what_it_was_asked_is_not(
    owner: httpx.AsyncClient, nexus: Nexus
) -> None:
    assert (await ask(owner, nexus, params={"message": "hello", "access_token": "canary"})).status_code == 200
    assert (await ask(owner, nexus, action="get_status")).status_code == 200
    unanswered = {"bot": "qq:10001", "action": "set_group_kick", "timeout": 0.1}
    assert (await owner.post("/api/action", json=unanswered)).status_code == 504
    kicked, sent = (await owner.get("/api/audit")).json()["audit"]
    assert (sent["what"], sent["object"]) == ("bot.action", "qq:10001")
    assert sent["after"] == {"action": "send_msg", "params": {"message": "hello", "access_token": "***"}}
    assert kicked["after"]["action"] == "set_group_kick"
