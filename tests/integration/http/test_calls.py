"""Actions that applications call over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.integration.http.conftest import WORKER_TOKEN, House, message, online, signed, well
from tests.integration.nexus.test_sockets import action, hear, worker_link

BASE = "/onebot/v11/app/10001"
WITH_TOKEN = {"Authorization": f"Bearer {WORKER_TOKEN}"}


async def test_an_action_over_http_gets_the_whole_answer_of_a_bot_on_a_websocket(house: House) -> None:
    nexus = await house.serve()
    bot = await house.bot(nexus)
    client = await house.http(nexus)

    async def answer() -> dict[str, Any]:
        frame = await action(bot)
        await bot.send(json.dumps({"status": "ok", "retcode": 0, "data": [1], "echo": frame["echo"], "own": "field"}))
        return frame

    asked, got = await both(answer(), client.post(f"{BASE}/send_msg", json={"user_id": 7}, headers=WITH_TOKEN))
    assert asked["params"] == {"user_id": 7}
    assert got.status_code == 200
    whole = {"status": "ok", "retcode": 0, "data": [1], "own": "field", "message": "", "wording": ""}
    assert got.json() == whole


@pytest.mark.parametrize(
    ("method", "query", "sent", "params"),
    [
        ("GET", "?user_id=7&message=12&auto_escape=true", {}, {"user_id": 7, "message": "12", "auto_escape": True}),
        ("POST", "", {"data": {"group_id": "8", "name": "x"}}, {"group_id": 8, "name": "x"}),
        ("POST", "?group_id=8", {"json": {"message": [{"type": "at"}]}}, {"group_id": 8, "message": [{"type": "at"}]}),
        ("POST", "", {}, {}),
        ("GET", f"?access_token={WORKER_TOKEN}&user_id=x007", {}, {"user_id": "x007"}),
    ],
)
async def test_parameters_come_as_query_form_or_json(
    house: House, method: str, query: str, sent: dict[str, Any], params: dict[str, Any]
) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    client = await house.http(nexus)
    headers = {} if "access_token" in query else WITH_TOKEN
    answer = await client.request(method, f"{BASE}/send_msg{query}", headers=headers, **sent)
    assert answer.status_code == 200
    assert bot.asked == [("send_msg", params)]


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", BASE + "/send_msg", {}, 401),
        ("POST", BASE + "/send_msg?access_token=wrong", {}, 403),
        ("POST", BASE + "/send_msg", {"headers": {"Authorization": "Bearer secret"}}, 403),
        ("POST", "/onebot/v11/app/999/send_msg", {"headers": WITH_TOKEN}, 404),
        ("POST", BASE + "/no_such_action", {"headers": WITH_TOKEN}, 404),
        ("DELETE", BASE + "/send_msg", {"headers": WITH_TOKEN}, 405),
        ("POST", BASE + "/send_msg", {"headers": {**WITH_TOKEN, "Content-Type": "text/xml"}, "content": "x"}, 406),
        ("POST", BASE + "/send_msg", {"headers": {**WITH_TOKEN, "Content-Encoding": "br"}, "content": "x"}, 415),
        ("POST", BASE + "/send_msg", {"headers": WITH_TOKEN, "content": "[]"}, 400),
        ("POST", BASE + "/send_msg", {"headers": {**WITH_TOKEN, "Origin": "https://evil.example"}}, 403),
        ("POST", BASE + "/a/b/c", {"headers": WITH_TOKEN}, 404),
    ],
)
async def test_what_can_not_be_done_has_the_status_of_onebot(
    house: House, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    bot = await house.implementation()

    async def knows_one(action: str, params: dict[str, Any]) -> tuple[int, Any]:
        return (404, "") if action == "no_such_action" else await well(action, params)

    bot.answering = knows_one
    nexus = await house.serve(bot.entry())
    await online(nexus)
    client = await house.http(nexus)
    assert (await client.request(method, path, **sent)).status_code == status
    assert [name for name, _ in bot.asked] in ([], ["no_such_action"])


async def test_a_failure_of_the_bot_is_no_failure_of_http(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)

    async def refuse(action: str, params: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"status": "failed", "retcode": 102, "data": None, "wording": "no"}

    bot.answering = refuse
    answer = await (await house.http(nexus)).post(f"{BASE}/send_msg", headers=WITH_TOKEN)
    assert (answer.status_code, answer.json()["retcode"], answer.json()["wording"]) == (200, 102, "no")


async def test_a_bot_of_another_nexus_is_asked_too(house: House) -> None:
    bot = await house.implementation()
    one = await house.serve(bot.entry(), name="n1")
    await online(one)
    other = await house.serve(name="n2")
    answer = await (await house.http(other)).post(f"{BASE}/send_msg", json={"user_id": 7}, headers=WITH_TOKEN)
    assert (answer.status_code, answer.json()["data"]["asked"]) == (200, {"user_id": 7})


async def both(first: Any, second: Any) -> tuple[Any, Any]:
    one, other = await asyncio.gather(first, second)
    return one, other


async def test_a_call_over_http_answers_an_event_that_its_application_heard_on_a_websocket(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    app = await worker_link(house, nexus, BASE)
    client = await house.http(nexus)
    await client.post("/onebot/v11/http", **signed(message(1, group=None)))
    assert (await hear(app))["message_id"] == 1
    assert nexus.counters()["socket_answered"] == 0
    answer = await client.post(f"{BASE}/send_private_msg", json={"user_id": 7, "message": "x"}, headers=WITH_TOKEN)
    assert answer.status_code == 200
    assert nexus.counters()["socket_answered"] == 1
