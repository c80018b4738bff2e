"""Bots that post their events, and take actions over HTTP."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.conftest import ValkeyProcess
from tests.integration.http.conftest import House, message, online, signed, well
from tests.integration.nexus.scene import emptied
from tests.integration.nexus.scene import reply as action_entry

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.envelope import encode
from botmatrix.bus.keys import Keys
from botmatrix.nexus.app import Nexus
from botmatrix.nexus.bot import BotState
from botmatrix.nexus.http import peer

KEYS = Keys()


async def test_a_posted_event_reaches_a_worker_and_its_action_the_bots_http_api(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    lane = await house.worker()
    client = await house.http(nexus)
    assert (await client.post("/onebot/v11/http", **signed(message(1)))).status_code == 204
    (delivery,) = await house.read(lane, 1)
    assert json.loads(delivery.payload)["event"]["message_id"] == 1
    await house.settle(lane, delivery, action_entry("pong"))
    assert await bot.action() == ("send_group_msg", {"group_id": 456, "message": "pong"})
    await emptied(house.client, KEYS.actions(nexus.inc))
    assert nexus.counters()["action_done"] == 1


async def test_a_bot_that_answers_get_status_is_online_without_posting(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    assert nexus.hub.bots["qq:10001"].state is BotState.ONLINE
    box = ActionBox(house.url, KEYS, "asker")
    result = await box.call(action_entry("hello"), timeout=5)
    assert (result.state, result.retcode) == ("DONE", 0)
    assert json.loads(result.data)["asked"]["message"] == "hello"
    await box.close()


async def test_the_same_event_posted_again_is_handed_on_once(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    lane = await house.worker()
    client = await house.http(nexus)
    for number in (1, 1, 1, 2):
        assert (await client.post("/", **signed(message(number)))).status_code == 204
    found = await house.read(lane, 2)
    assert [json.loads(one.payload)["event"]["message_id"] for one in found] == [1, 2]


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        ({"X-Signature": None}, 401),
        ({"X-Signature": "sha1=" + "0" * 40}, 403),
        ({"X-Signature": "\xff\xfe"}, 403),
        ({"X-Self-ID": "777"}, 403),
        ({"X-Self-ID": None}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_what_is_not_the_bots_is_refused_and_shown(house: House, spoil: dict[str, Any], status: int) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    client = await house.http(nexus)
    sent = signed(message(1))
    headers = {name: value for name, value in (sent["headers"] | spoil).items() if value is not None}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await client.post("/onebot/v11/http", content=sent["content"], headers=encoded)
    assert answer.status_code == status
    refusal = nexus.hub.refused()[0]
    assert refusal.status == status
    assert refusal.reason in answer.text
    assert refusal.cure in answer.text
    assert nexus.counters()["received"] == 0


async def test_without_a_secret_the_gateways_token_is_asked_for(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry(secret=""))
    client = await house.http(nexus)
    headers = {"X-Self-ID": "10001"}
    for path, status in (("/", 401), ("/?access_token=wrong", 403), ("/?access_token=secret", 204)):
        assert (await client.post(path, json=message(1), headers=headers)).status_code == status
    assert [refusal.target for refusal in nexus.hub.refused()] == ["/?access_token=***", "/"]


async def test_what_is_no_event_is_answered_400_and_the_bot_stays(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    client = await house.http(nexus)
    for body in (b"", b"[]", b"{", b"\xff", b'{"a":1}'):
        assert (await client.post("/", **signed(body))).status_code == 400
    assert (await client.post("/", **signed(message(1)))).status_code == 204
    assert nexus.hub.bots["qq:10001"].received == 1


async def test_actions_of_one_conversation_keep_their_order(house: House) -> None:
    bot = await house.implementation()

    async def slow_first(action: str, params: dict[str, Any]) -> tuple[int, Any]:
        if params.get("message") == "0":
            await asyncio.sleep(0.2)
        return await well(action, params)

    bot.answering = slow_first
    nexus = await house.serve(bot.entry())
    await online(nexus)
    for number in range(5):
        nexus.hub.bots["qq:10001"].call("send_group_msg", b'{"group_id":1,"message":"%d"}' % number, lambda _: None)
    await bot.action(5)
    assert [params["message"] for _, params in bot.asked] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("answer", "state", "retcode"),
    [
        ((200, {"status": "failed", "retcode": 100, "data": None}), "FAILED", 100),
        ((404, ""), "FAILED", 1404),
        ((403, ""), "FAILED", 1403),
        ((502, "<html>"), "UNKNOWN", 1200),
        ((200, "no json"), "UNKNOWN", 1200),
    ],
)
async def test_how_an_action_ended_is_known_from_the_answer(
    house: House, answer: tuple[int, Any], state: str, retcode: int
) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)

    async def refuse(action: str, params: dict[str, Any]) -> tuple[int, Any]:
        return answer

    bot.answering = refuse
    box = ActionBox(house.url, KEYS, "asker")
    result = await box.call(action_entry("hello"), timeout=5)
    await box.close()
    assert (result.state, result.retcode) == (state, retcode)


@pytest.mark.parametrize(
    "nonsense", [b'{"retcode":0,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"retcode":0,"data":"\xff"}']
)
async def test_an_answer_that_can_not_be_read_ends_neither_the_bot_nor_what_waits_behind_it(
    house: House, nonsense: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "EVERY", 0.05)
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)

    async def speak(action: str, params: dict[str, Any]) -> tuple[int, Any]:
        return (200, nonsense) if params.get("message") == "first" or action == "get_status" else await well(action, {})

    bot.answering = speak
    boxes = [ActionBox(house.url, KEYS, f"asker{number}") for number in (1, 2)]
    calls = [box.call(action_entry(word, word), timeout=20) for box, word in zip(boxes, ("first", "next"), strict=True)]
    first, after = await asyncio.gather(*calls)
    assert (first.state, first.retcode, after.state) == ("UNKNOWN", 1200, "DONE")
    line = nexus.sockets.dialer.lines["bot qq:10001"]
    tried = line.attempts
    await until(lambda: line.attempts > tried + 1)
    assert nexus.hub.bots["qq:10001"].links
    for box in boxes:
        await box.close()


async def test_no_action_is_nested_too_deep_for_the_nexus(house: House) -> None:
    """How deep is too deep depends on where in the program one asks: each depth about there is tried."""
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    for depth in range(880, 1000):
        entry = action_entry("deep", f"a{depth}")
        entry.params = msgspec.Raw(b'{"group_id":456,"message":' + b"[" * depth + b"]" * depth + b"}")
        await house.client.call("XADD", KEYS.actions(nexus.inc), "*", "payload", encode(entry))
    await house.client.call("XADD", KEYS.actions(nexus.inc), "*", "payload", encode(action_entry("last", "last")))
    async with asyncio.timeout(30):
        while not any(params.get("message") == "last" for _, params in bot.asked):
            await asyncio.sleep(0.01)
    assert not [task for task in nexus._tasks if task.done()]


async def test_a_server_that_is_away_fails_the_action_and_comes_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "EVERY", 0.05)
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    await bot.stop()
    box = ActionBox(house.url, KEYS, "asker")
    result = await box.call(action_entry("hello"), timeout=5)
    assert (result.state, result.retcode) == ("FAILED", 1503)
    line = nexus.sockets.dialer.lines["bot qq:10001"]
    await until(lambda: line.error == "the bot's HTTP API can't be reached")
    await bot.start()
    await until(lambda: line.error == "")
    assert (await box.call(action_entry("hello", "a2"), timeout=5)).state == "DONE"
    await box.close()


async def test_a_wrong_api_token_is_named(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry(token="another"))
    lines = nexus.sockets.dialer.lines
    await until(lambda: "bot qq:10001" in lines and "refuses the token" in lines["bot qq:10001"].error)
    assert "qq:10001" not in nexus.hub.bots


async def test_the_nexus_to_which_the_bot_posts_serves_it(house: House) -> None:
    bot = await house.implementation()
    one = await house.serve(bot.entry(), name="n1")
    await online(one)
    other = await house.serve(bot.entry(), name="n2")
    client = await house.http(other)
    assert (await client.post("/", **signed(message(1)))).status_code == 204
    await online(other)
    await until(lambda: not one.hub.bots["qq:10001"].links)
    by_turns = await (await house.http(one)).post("/", **signed(message(2)))
    assert (by_turns.status_code, by_turns.headers["Retry-After"]) == (503, "10")
    assert (await client.post("/", **signed(message(3)))).status_code == 204


async def test_a_setting_that_is_gone_ends_the_bot(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    nexus.sockets._bots.configure(())
    await until(lambda: nexus.hub.bots["qq:10001"].state is BotState.OFFLINE)


async def test_events_are_taken_while_redis_is_away(own_valkey: ValkeyProcess, home: Path) -> None:
    async with AsyncExitStack() as stack:
        house = House(own_valkey.url, home, stack)
        bot = await house.implementation()
        nexus = await house.serve(bot.entry())
        await online(nexus)
        other = await house.serve(bot.entry(), name="n2")
        own_valkey.stop(kill=True)
        for number, one in enumerate((nexus, other)):
            answer = await (await house.http(one)).post("/", **signed(message(number)))
            assert answer.status_code == 204
        answers: list[Any] = []
        nexus.hub.bots["qq:10001"].call("send_group_msg", b'{"group_id":1}', answers.append)
        await until(lambda: [one.ok for one in answers] == [True])
        own_valkey.start()
        lane = await house.worker()
        found = await house.read(lane, 2)
        assert {json.loads(one.payload)["event"]["message_id"] for one in found} == {0, 1}
        await until(lambda: len(nexus.hub.bots["qq:10001"].links) + len(other.hub.bots["qq:10001"].links) == 1)
    await house.client.close()
    await house.lanes.close()


@pytest.fixture
async def quick(house: House) -> Nexus:
    """A nexus that waits a little for quick operations."""
    bot = await house.implementation()
    nexus = await house.serve(bot.entry(quick=5))
    await online(nexus)
    return nexus


def operation(context: dict[str, Any], **operations: Any) -> bytes:
    return json.dumps({"context": context, "operation": operations}).encode()


async def test_a_quick_operation_answers_the_event_with_what_onebot_allows_there(house: House, quick: Nexus) -> None:
    client = await house.http(quick)
    event = message(1)
    posted = asyncio.create_task(client.post("/", **signed(event)))
    await until(lambda: quick.hub.bots["qq:10001"].received == 1)
    answers: list[Any] = []
    params = operation(event, reply="hi", at_sender=False, approve=True, nonsense=1)
    quick.hub.bots["qq:10001"].call(".handle_quick_operation", params, answers.append)
    answer = await posted
    assert (answer.status_code, answer.json()) == (200, {"reply": "hi", "at_sender": False})
    assert [one.ok for one in answers] == [True]


async def test_a_request_is_approved_by_a_quick_operation(house: House, quick: Nexus) -> None:
    client = await house.http(quick)
    event = {"post_type": "request", "request_type": "friend", "self_id": 10001, "user_id": 7, "flag": "f", "time": 1}
    posted = asyncio.create_task(client.post("/", **signed(event)))
    await until(lambda: quick.hub.bots["qq:10001"].received == 1)
    params = operation(event, approve=True, remark="x", reply="no")
    quick.hub.bots["qq:10001"].call(".handle_quick_operation_async", params, lambda _: None)
    assert (await posted).json() == {"approve": True, "remark": "x"}


async def test_events_without_quick_operations_are_answered_at_once(house: House, quick: Nexus) -> None:
    client = await house.http(quick)
    notice = {"post_type": "notice", "notice_type": "friend_add", "self_id": 10001, "user_id": 7, "time": 1}
    async with asyncio.timeout(2):
        assert (await client.post("/", **signed(notice))).status_code == 204


async def test_nothing_is_waited_for_longer_than_configured(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry(quick=0.1))
    client = await house.http(nexus)
    event = message(1)
    assert (await client.post("/", **signed(event))).status_code == 204
    nexus.hub.bots["qq:10001"].call(".handle_quick_operation", operation(event, reply="late"), lambda _: None)
    assert (await bot.action())[0] == ".handle_quick_operation"


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_bot_of_http_is_offline_for_everybody_when_its_nexus_has_stopped(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    await online(nexus)
    await nexus.stop()
    assert await house.client.call("HGET", Keys().bot("qq:10001"), "state") == b"offline"
