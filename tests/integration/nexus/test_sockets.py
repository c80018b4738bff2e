"""Socket workers and stream workers side by side, in a whole nexus on a real Valkey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import Scene
from tests.integration.nexus.test_access import until
from tests.integration.nexus.test_trace import TraceScene
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from botmatrix.bus.keys import Keys
from botmatrix.bus.presence import Presence
from botmatrix.bus.rules import RulesMirror
from botmatrix.bus.trace_parts import Acted, Heard, Ran
from botmatrix.nexus.app import Nexus
from botmatrix.routing.rule import make_rule

KEYS = Keys()


def event(text: str, number: int, *, self_id: int = 10001, user_id: int = 7) -> str:
    """A private message."""
    return json.dumps(
        {
            **{"post_type": "message", "message_type": "private", "sub_type": "friend", "self_id": self_id},
            **{"time": 1_700_000_000, "message_id": number, "user_id": user_id, "message": text, "raw_message": text},
        }
    )


@pytest.fixture
async def stage(own_valkey: ValkeyProcess, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene on a Valkey that may be killed."""
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, tmp_path, stack)
        yield scene
    await scene.client.close()
    await scene.lanes.close()


async def worker_link(stage: Scene, nexus: Nexus, path: str) -> ClientConnection:
    token = str(nexus.settings.worker_token)
    url = f"ws://127.0.0.1:{nexus.gateway.port}{path}"
    link = await connect(url, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None)
    stage.stack.push_async_callback(link.close)
    if "/app/" in path:
        assert json.loads(await link.recv())["meta_event_type"] == "lifecycle"
    return link


async def hear(link: ClientConnection) -> dict[str, Any]:
    """The next event or answer; heartbeats are passed over."""
    async with asyncio.timeout(10):
        while (frame := json.loads(await link.recv())).get("post_type") == "meta_event":
            pass
    found: dict[str, Any] = frame
    return found


async def action(bot: ClientConnection) -> dict[str, Any]:
    """The next action that is no greeting."""
    async with asyncio.timeout(10):
        while (frame := json.loads(await bot.recv()))["action"] in ("get_login_info", "get_group_list"):
            await bot.send(json.dumps({"status": "ok", "retcode": 0, "data": None, "echo": frame["echo"]}))
    found: dict[str, Any] = frame
    return found


async def test_an_attached_application_is_the_bots_implicit_rule(stage: Scene) -> None:
    nexus = await stage.nexus()
    lane = await stage.worker()
    bot, other = await stage.bot(nexus), await stage.bot(nexus, 20002)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001")
    await bot.send(event("to the application", 1))
    await other.send(event("to the lane", 2, self_id=20002))
    assert (await hear(app))["raw_message"] == "to the application"
    (delivery,) = await stage.read(lane, 1)
    assert b"to the lane" in delivery.payload


async def test_a_written_rule_stands_above_the_implicit_one(stage: Scene) -> None:
    nexus = await stage.nexus()
    lane = await stage.worker()
    await RulesMirror(stage.client, KEYS).write([make_rule("user_7", "w1")], [])
    bot = await stage.bot(nexus)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001")
    async with asyncio.timeout(5):
        while not nexus.rules.table.rules:
            await asyncio.sleep(0.02)
    await bot.send(event("by rule", 1, user_id=7))
    await bot.send(event("by the bot", 2, user_id=8))
    (delivery,) = await stage.read(lane, 1)
    assert b"by rule" in delivery.payload
    assert (await hear(app))["raw_message"] == "by the bot"


async def test_when_the_application_goes_its_events_go_to_the_pool(stage: Scene) -> None:
    nexus = await stage.nexus()
    lane = await stage.worker()
    bot = await stage.bot(nexus)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001")
    await bot.send(event("one", 1))
    assert (await hear(app))["raw_message"] == "one"
    await app.close()
    async with asyncio.timeout(5):
        while nexus.sockets.workers.workers:
            await asyncio.sleep(0.01)
    await bot.send(event("two", 2))
    (delivery,) = await stage.read(lane, 1)
    assert b"two" in delivery.payload


async def test_an_application_may_not_take_the_name_of_a_stream_worker(stage: Scene) -> None:
    nexus = await stage.nexus()
    await stage.worker()
    async with asyncio.timeout(5):
        while not nexus.workers.candidates:
            await asyncio.sleep(0.01)
    with pytest.raises(InvalidStatus) as refused:
        await worker_link(stage, nexus, "/onebot/v11/app/10001?name=w1")
    assert refused.value.response.status_code == 409


async def test_the_platforms_duplicate_reaches_an_application_once(stage: Scene) -> None:
    nexus = await stage.nexus()
    bot = await stage.bot(nexus)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001")
    for number in (1, 1, 2):
        await bot.send(event("hi", number))
    assert [(await hear(app))["message_id"] for _ in range(2)] == [1, 2]
    assert nexus.counters()["duplicate"] == 1


async def test_old_workers_and_stream_workers_share_the_default_pool(stage: Scene) -> None:
    nexus = await stage.nexus()
    lane = await stage.worker()
    bot = await stage.bot(nexus)
    old = await worker_link(stage, nexus, "/ws/workers")
    async with asyncio.timeout(5):
        while not nexus.workers.candidates:
            await asyncio.sleep(0.01)
    for number in range(40):
        await bot.send(event("hi", number, user_id=number + 1))
    heard, read = 0, 0
    async with asyncio.timeout(10):
        while heard + read < 40:
            read += len(await stage.lanes.read(lane, 64, 50))
            try:
                while True:
                    await asyncio.wait_for(old.recv(), 0.05)
                    heard += 1
            except TimeoutError:
                pass
    assert heard > 0
    assert read > 0


async def test_socket_workers_go_on_while_redis_is_away(stage: Scene, own_valkey: ValkeyProcess) -> None:
    nexus = await stage.nexus()
    bot = await stage.bot(nexus)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001")
    await bot.send(event("before", 1))
    assert (await hear(app))["raw_message"] == "before"
    own_valkey.stop(kill=True)
    for number in range(2, 12):
        await bot.send(event("during", number))
        assert (await hear(app))["message_id"] == number
        await app.send(json.dumps({"action": "send_msg", "params": {"user_id": 7}, "echo": {"n": number}}))
        asked = await action(bot)
        await bot.send(json.dumps({"status": "ok", "retcode": 0, "data": None, "echo": asked["echo"]}))
        assert (await hear(app))["echo"] == {"n": number}
    again = await connect_unclaimed(stage, nexus)
    other = await worker_link(stage, nexus, "/onebot/v11/app/30003")
    await again.send(event("a bot that came meanwhile", 1, self_id=30003))
    assert (await hear(other))["raw_message"] == "a bot that came meanwhile"
    assert nexus.counters()["received"] == nexus.counters()["socket_handed"] == 12


async def connect_unclaimed(stage: Scene, nexus: Nexus) -> ClientConnection:
    """A bot that can't be registered, for Redis is away."""
    headers = {"X-Self-ID": "30003", "Authorization": "Bearer secret"}
    url = f"ws://127.0.0.1:{nexus.gateway.port}/onebot/v11/ws"
    link = await connect(url, additional_headers=headers, proxy=None)
    stage.stack.push_async_callback(link.close)
    return link


async def test_the_books_add_up_with_every_kind_of_worker(stage: Scene) -> None:
    nexus = await stage.nexus()
    await stage.worker()
    bot, other = await stage.bot(nexus), await stage.bot(nexus, 20002)
    await worker_link(stage, nexus, "/onebot/v11/app/10001")
    for number in range(30):
        await bot.send(event("x" * 50_000, number))
        await other.send(event("y", number, self_id=20002))
    async with asyncio.timeout(10):
        while True:
            c = nexus.counters()
            total = c["blocked"] + c["duplicate"] + c["shed_notice"] + c["accepted"] + c["waiting"] + c["socket_handed"]
            if c["received"] == total == 60:
                break
            await asyncio.sleep(0.02)


async def test_an_application_on_another_nexus_hears_the_bot_and_speaks_through_it(stage: Scene) -> None:
    here, there = await stage.nexus("n1"), await stage.nexus("n2")
    await stage.worker()
    bot = await stage.bot(here)
    app = await worker_link(stage, there, "/onebot/v11/app/10001")
    async with asyncio.timeout(5):
        while here.sockets.far.is_empty:
            await asyncio.sleep(0.02)
    for number in range(20):
        await bot.send(event("over there", number))
    assert [(await hear(app))["message_id"] for _ in range(20)] == list(range(20))
    await app.send(json.dumps({"action": "send_msg", "params": {"user_id": 7, "message": "x"}, "echo": [1]}))
    asked = await action(bot)
    assert asked["params"]["message"] == "x"
    await bot.send(json.dumps({"status": "ok", "retcode": 0, "data": {"message_id": 5}, "echo": asked["echo"]}))
    answer = await hear(app)
    assert (answer["status"], answer["data"], answer["echo"]) == ("ok", {"message_id": 5}, [1])


async def test_what_waited_for_an_application_reaches_it_when_it_comes(stage: Scene) -> None:
    nexus = await stage.nexus()
    await RulesMirror(stage.client, KEYS).write([make_rule("user_7", "nonebot", fallback="wait")], [])
    bot = await stage.bot(nexus)
    async with asyncio.timeout(5):
        while not nexus.rules.table.rules:
            await asyncio.sleep(0.02)
    for number in range(10):
        await bot.send(event("later", number))
    async with asyncio.timeout(5):
        while nexus.counters()["accepted"] < 10:
            await asyncio.sleep(0.02)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001?name=nonebot")
    assert [(await hear(app))["message_id"] for _ in range(10)] == list(range(10))
    await bot.send(event("now", 10))
    assert (await hear(app))["message_id"] == 10


async def test_the_trace_shows_what_became_of_an_event_of_a_socket_worker(
    stage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botmatrix.nexus.sockets.worker.SILENT_SECONDS", 0.3)
    nexus = await stage.nexus()
    bot = await stage.bot(nexus)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001")
    await bot.send(event("answered", 1))
    await hear(app)
    await app.send(json.dumps({"action": "send_msg", "params": {"user_id": 7, "message": "hi"}, "echo": 1}))
    asked = await action(bot)
    await bot.send(json.dumps({"status": "ok", "retcode": 0, "data": {"message_id": 5}, "echo": asked["echo"]}))
    await hear(app)
    await bot.send(event("silent", 2, user_id=8))
    await hear(app)
    trace = TraceScene(stage.url, stage.home, stage.stack)
    heard, ran, acted = await trace.reported(Heard, 2), await trace.reported(Ran, 2), await trace.reported(Acted, 1)
    await trace.client.close()
    await trace.lanes.close()
    ids = {one.text: one.id for one in heard}
    assert [(one.id, one.worker, one.quiet, one.actions) for one in ran] == [
        (ids["answered"], "app-10001", "", 1),
        (ids["silent"], "app-10001", "silent", 0),
    ]
    assert [(one.id, one.action, one.text, one.state, one.message_id) for one in acted] == [
        (ids["answered"], "send_msg", "hi", "DONE", "5")
    ]


async def test_an_old_worker_on_another_nexus_answers_through_the_bot_that_it_heard(stage: Scene) -> None:
    here, there = await stage.nexus("n1"), await stage.nexus("n2")
    bot = await stage.bot(here)
    old = await worker_link(stage, there, "/ws/workers")
    async with asyncio.timeout(5):
        while here.sockets.far.is_empty:
            await asyncio.sleep(0.02)
    await bot.send(event("over there", 1))
    heard = await hear(old)
    request = {"action": "send_msg", "params": {"user_id": heard["user_id"], "message": "x"}, "echo": "1"}
    await old.send(json.dumps({**request, "self_id": heard["self_id"]}))
    asked = await action(bot)
    await bot.send(json.dumps({"status": "ok", "retcode": 0, "data": None, "echo": asked["echo"]}))
    assert (await hear(old))["status"] == "ok"


async def test_each_application_of_another_nexus_gets_its_own_copy(stage: Scene) -> None:
    here, there = await stage.nexus("n1"), await stage.nexus("n2")
    await stage.worker()
    bot = await stage.bot(here)
    apps = [await worker_link(stage, there, f"/onebot/v11/app/10001?name=copy{number}") for number in (1, 2)]
    mirror = RulesMirror(stage.client, KEYS)
    await mirror.write([make_rule("bot_10001", "copy1,copy2", deliver="all")], [])
    async with asyncio.timeout(20):
        while here.sockets.far.is_empty or not all(one.rules.table.rules for one in (here, there)):
            await asyncio.sleep(0.02)
    for number in range(10):
        await bot.send(event("to both", number))
    for app in apps:
        assert [(await hear(app))["message_id"] for _ in range(10)] == list(range(10))


async def drained(stage: Scene, nexus: Nexus, worker: str, *, on: bool = True) -> None:
    """Ask a worker to take nothing new, or to take again, and wait until the nexus knows."""
    presence = Presence(stage.url, KEYS)
    await presence.drain(worker, on=on)
    await presence.close()
    async with asyncio.timeout(20):
        while (worker in nexus.sockets.workers.draining) is not on:
            await asyncio.sleep(0.02)


async def test_an_application_that_drains_takes_nothing_new_until_it_may_again(stage: Scene) -> None:
    nexus = await stage.nexus()
    lane = await stage.worker()
    bot = await stage.bot(nexus)
    app = await worker_link(stage, nexus, "/onebot/v11/app/10001")
    await bot.send(event("before", 1))
    assert (await hear(app))["raw_message"] == "before"
    await drained(stage, nexus, "app-10001")
    await bot.send(event("meanwhile", 2))
    (delivery,) = await stage.read(lane, 1)
    assert b"meanwhile" in delivery.payload
    await app.send(json.dumps({"action": "send_msg", "params": {"user_id": 7, "message": "still"}, "echo": 1}))
    assert (await action(bot))["params"]["message"] == "still"
    await drained(stage, nexus, "app-10001", on=False)
    await bot.send(event("afterwards", 3, user_id=8))
    assert (await hear(app))["raw_message"] == "afterwards"


async def told(stage: Scene, worker: str, **wanted: str) -> None:
    """Until the worker's presence says this."""
    presence = Presence(stage.url, KEYS)
    async with asyncio.timeout(30):
        while True:
            found = {one["id"]: one for one in await presence.workers()}.get(worker, {})
            if all(found.get(name) == value for name, value in wanted.items()):
                break
            await asyncio.sleep(0.05)
    await presence.close()


async def test_an_application_of_another_nexus_that_drains_takes_nothing_new(stage: Scene) -> None:
    here, there = await stage.nexus("n1"), await stage.nexus("n2")
    lane = await stage.worker()
    bot = await stage.bot(here)
    await worker_link(stage, there, "/onebot/v11/app/10001")
    await until(lambda: not here.sockets.far.is_empty, 20)
    await drained(stage, there, "app-10001")
    await until(lambda: here.sockets.far.is_empty, 20)
    await told(stage, "app-10001", draining="1")
    await bot.send(event("not there", 1))
    (delivery,) = await stage.read(lane, 1)
    assert b"not there" in delivery.payload


async def test_an_application_with_links_to_two_nexuses_is_one_worker_and_stays_until_the_last_is_gone(
    stage: Scene,
) -> None:
    nexuses = [await stage.nexus("n1"), await stage.nexus("n2")]
    links = [
        await worker_link(stage, nexus, f"/onebot/v11/app/{bot}?name=nonebot")
        for nexus, bot in zip(nexuses, (10001, 20002), strict=True)
    ]
    await told(stage, "nonebot", links="2", bots="qq:10001,qq:20002")
    await links[0].close()
    async with asyncio.timeout(20):
        while nexuses[0].sockets.workers.workers or await stage.client.call("EXISTS", KEYS.sockets(nexuses[0].inc)):
            await asyncio.sleep(0.02)
    await nexuses[0].sockets._announcer._announce()
    assert await stage.client.call("EXISTS", KEYS.presence("nonebot")), "its other link is there"
    await told(stage, "nonebot", links="1", bots="qq:20002")
    await links[1].close()
    async with asyncio.timeout(20):
        while await stage.client.call("EXISTS", KEYS.presence("nonebot")):
            await asyncio.sleep(0.02)


async def test_no_event_is_nested_too_deep_to_be_handed_on(stage: Scene) -> None:
    """How deep is too deep depends on where in the program one asks: each depth about there is tried."""
    nexus = await stage.nexus()
    bot, old = await stage.bot(nexus), await worker_link(stage, nexus, "/ws/workers")
    for depth in range(880, 1000):
        await bot.send(event("deep", depth)[:-1] + ', "extra": ' + "[" * depth + "]" * depth + "}")
    await bot.send(event("last", 1))
    async with asyncio.timeout(30):
        while '"last"' not in str(await old.recv()):
            pass
    counted = nexus.counters()
    assert counted["received"] == counted["socket_handed"] > 1
