"""A whole nexus on a real Valkey: a bot on one side, a lane's owner on the other."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.conftest import ValkeyProcess
from tests.integration.nexus.test_ingest import appended, forget
from websockets.asyncio.client import ClientConnection, connect

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.client import Client
from botmatrix.bus.envelope import ActionEntry, Envelope, decode_envelope
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.lanes import Delivery, Lane, Lanes, Settlement
from botmatrix.bus.scripts import FORWARD
from botmatrix.bus.signals import Signals
from botmatrix.config import load
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus import app, registry
from botmatrix.nexus.app import Nexus
from botmatrix.vital import must_not_end

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


@pytest.fixture
async def scene(redis_url: str, home: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        scene = Scene(redis_url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        yield scene


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


async def test_an_event_goes_to_a_lane_and_its_answer_comes_back(scene: Scene) -> None:
    nexus = await scene.nexus()
    lane = await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(message(1))
    (delivery,) = await scene.read(lane, 1)
    envelope = decode_envelope(delivery.payload)
    assert (envelope.bot, envelope.conv, envelope.nexus) == ("qq:10001", "group:456", nexus.inc)
    assert bytes(envelope.event) == message(1).encode()
    await scene.settle(lane, delivery, reply("hello"))
    frame = await next_action(bot)
    assert frame["params"] == {"group_id": 456, "message": "hello"}
    await answer(bot, frame, message_id=5)
    await emptied(scene.client, KEYS.actions(nexus.inc))


async def test_events_without_a_worker_are_parked_and_moved_on_in_order(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    for number in range(50):
        await bot.send(message(number, group=number % 3))
    async with asyncio.timeout(10):
        while await scene.client.call("XLEN", KEYS.lane(PARKING)) < 50:
            await asyncio.sleep(0.01)
    lane = await scene.worker()
    for number in range(50, 100):
        await bot.send(message(number, group=number % 3))
    seen: dict[str, list[int]] = {}
    for delivery in await scene.read(lane, 100):
        envelope = decode_envelope(delivery.payload)
        seen.setdefault(envelope.conv, []).append(number_of(envelope))
        await scene.settle(lane, delivery)
    assert {conv: sorted(numbers) for conv, numbers in seen.items()} == seen
    assert sum(map(len, seen.values())) == 100


async def test_a_conversation_that_never_pauses_leaves_the_parking_place(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await bot.send(message(0))
    await parked(scene, 1)
    lane = await scene.worker()
    number = 0
    async with asyncio.timeout(10):
        while (pin := nexus.pins.get("qq:10001|group:456")) is None or pin.lane == PARKING:
            number += 1
            await bot.send(message(number))
            await asyncio.sleep(0.001)
    number += 1
    await bot.send(message(number))
    seen = [number_of(decode_envelope(one.payload)) for one in await scene.read(lane, number + 1)]
    assert seen == list(range(number + 1))


async def parked(scene: Scene, count: int) -> None:
    """Until so many events are parked."""
    async with asyncio.timeout(10):
        while await scene.client.call("XLEN", KEYS.lane(PARKING)) < count:
            await asyncio.sleep(0.01)


def number_of(envelope: Envelope) -> int:
    number: int = json.loads(bytes(envelope.event))["message_id"]
    return number


async def test_a_newer_link_at_another_nexus_closes_the_older_one(scene: Scene) -> None:
    first, second = await scene.nexus("n1"), await scene.nexus("n2")
    old = await scene.bot(first)
    await scene.bot(second)
    async with asyncio.timeout(10):
        await old.wait_closed()
    assert old.close_code == 4001


async def test_an_action_read_by_the_wrong_nexus_is_handed_on_unsent(scene: Scene) -> None:
    first, second = await scene.nexus("n1"), await scene.nexus("n2")
    bot = await scene.bot(second)
    payload = msgspec.json.encode(reply("over there"))
    await scene.client.call("XADD", KEYS.actions(first.inc), "*", "payload", payload)
    assert (await next_action(bot))["params"]["message"] == "over there"


async def test_handing_on_twice_because_the_answer_got_lost_sends_once(scene: Scene) -> None:
    here, there = KEYS.actions("n1.aaaaaaaa"), KEYS.actions("n2.bbbbbbbb")
    for stream in (here, there):
        await scene.client.call("XGROUP", "CREATE", stream, "g", "0", "MKSTREAM")
    await scene.client.call("HSET", KEYS.bot("qq:10001"), "nexus", "n2.bbbbbbbb")
    payload = msgspec.json.encode(reply("once"))
    entry = await scene.client.call("XADD", here, "*", "payload", payload)
    keys = [here, KEYS.bot("qq:10001"), KEYS.orphans]
    for _ in range(2):
        assert await scene.client.run(FORWARD, keys, entry, payload, "n1.aaaaaaaa", KEYS.prefix, "0") == 1
    assert await scene.client.call("XLEN", there) == 1


async def test_a_stop_gives_back_what_is_just_being_handed_on(scene: Scene) -> None:
    nexus = await scene.nexus()
    there = KEYS.actions("n2.bbbbbbbb")
    await scene.client.call("XGROUP", "CREATE", there, "g", "0", "MKSTREAM")
    for n in range(300):
        payload = msgspec.json.encode(reply(str(n), f"a{n}"))
        await scene.client.call("XADD", KEYS.actions(nexus.inc), "*", "payload", payload)
    async with asyncio.timeout(10):
        while nexus.actions.open < 300:
            await asyncio.sleep(0.01)
    for task in nexus._tasks:
        task.remove_done_callback(must_not_end)  # as at a stop
    await nexus.actions.stop_reading()
    await scene.client.call("HSET", KEYS.bot("qq:10001"), "nexus", "n2.bbbbbbbb")
    await asyncio.gather(nexus.actions.give_back(), nexus.actions._retry("qq:10001"))
    assert await scene.client.call("XLEN", there) == 300
    assert await scene.client.call("XLEN", KEYS.actions(nexus.inc)) == 0


async def test_actions_of_a_nexus_that_is_gone_are_rescued_or_unknown(scene: Scene) -> None:
    gone = KEYS.actions("n0.dddddddd")
    await scene.client.call("XGROUP", "CREATE", gone, "g", "0", "MKSTREAM")
    await scene.client.call("XADD", gone, "*", "payload", msgspec.json.encode(reply("perhaps sent", "read")))
    await scene.client.call("XREADGROUP", "GROUP", "g", "x", "STREAMS", gone, ">")
    await scene.client.call("XADD", gone, "*", "payload", msgspec.json.encode(reply("never sent", "unread")))
    await scene.client.call("SADD", KEYS.nexuses, "n0.dddddddd")
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    assert (await next_action(bot))["params"]["message"] == "never sent"
    assert await scene.client.call("HGET", KEYS.act("read"), "state") == b"UNKNOWN"
    async with asyncio.timeout(10):
        while await scene.client.call("EXISTS", gone):
            await asyncio.sleep(0.01)


async def test_an_action_past_its_time_expires(scene: Scene) -> None:
    nexus = await scene.nexus()
    await scene.bot(nexus)
    box = ActionBox(scene.url, KEYS, "test.eeeeeeee")
    scene.stack.push_async_callback(box.close)
    result = await box.call(reply("too late", lives=-1), timeout=5)
    assert result.state == "EXPIRED"


async def test_a_call_gets_the_bots_answer_and_a_second_run_gets_the_same(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    box = ActionBox(scene.url, KEYS, "test.eeeeeeee")
    scene.stack.push_async_callback(box.close)
    calling = asyncio.create_task(box.call(reply("now", "once"), timeout=5))
    frame = await next_action(bot)
    await answer(bot, frame, message_id=9)
    result = await calling
    assert (result.state, json.loads(result.data)) == ("DONE", {"message_id": 9})
    assert await box.call(reply("now", "once"), timeout=5) == result


async def test_a_refusal_of_the_bot_is_told_whole(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    box = ActionBox(scene.url, KEYS, "test.eeeeeeee")
    scene.stack.push_async_callback(box.close)
    calling = asyncio.create_task(box.call(reply("no"), timeout=5))
    frame = await next_action(bot)
    refusal = {"status": "failed", "retcode": 1404, "data": None, "message": "no such action", "echo": frame["echo"]}
    await bot.send(json.dumps(refusal))
    result = await calling
    assert (result.state, result.retcode, result.message) == ("FAILED", 1404, "no such action")


async def test_a_link_that_ends_leaves_its_action_unknown(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    box = ActionBox(scene.url, KEYS, "test.eeeeeeee")
    scene.stack.push_async_callback(box.close)
    calling = asyncio.create_task(box.call(reply("perhaps"), timeout=5))
    await next_action(bot)
    await bot.close()
    assert (await calling).state == "UNKNOWN"


async def test_an_action_for_a_bot_that_is_away_waits_for_it(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await bot.close()
    while nexus.hub.bots["qq:10001"].api_link is not None:
        await asyncio.sleep(0.01)
    await scene.client.call("XADD", KEYS.actions(nexus.inc), "*", "payload", msgspec.json.encode(reply("welcome back")))
    again = await scene.bot(nexus)
    assert (await next_action(again))["params"]["message"] == "welcome back"


async def test_a_redis_restart_in_the_middle_loses_and_doubles_nothing(own_valkey: ValkeyProcess, home: Path) -> None:
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        nexus = await scene.nexus()
        lane = await scene.worker()
        bot = await scene.bot(nexus)
        while not nexus.workers.candidates:
            await asyncio.sleep(0.01)
        for number in range(1, 400):
            await bot.send(message(number))
            if number == 200:
                own_valkey.stop(kill=True)
        own_valkey.start()
        while nexus.router.counters["received"] < 399:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(nexus.ingest.drained(), 10)
        stored = await scene.client.call("XRANGE", KEYS.lane(lane.name), "-", "+")
        numbers = [number_of(decode_envelope(fields[1])) for _, fields in stored]
        assert numbers == list(range(1, 400))
        await scene.lanes.close()


async def test_what_a_bot_was_sent_is_not_sent_again_when_redis_forgets_the_settlement(
    own_valkey: ValkeyProcess, home: Path
) -> None:
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        nexus = await scene.nexus()
        lane = await scene.worker()
        bot = await scene.bot(nexus)
        await bot.send(message(1))
        (delivery,) = await scene.read(lane, 1)
        kept = appended(own_valkey).stat().st_size
        await scene.settle(lane, delivery, reply("once", "a1"))
        await answer(bot, await next_action(bot), message_id=1)
        await emptied(scene.client, KEYS.actions(nexus.inc))
        forget(own_valkey, kept)
        await scene.lanes.close()
        again = await scene.lanes.join("w1")
        assert again is not None
        (delivery,) = await scene.read(again, 1)
        await scene.settle(again, delivery, reply("once", "a1"))
        async with asyncio.timeout(10):
            while not nexus.actions.counters["action_twice"]:
                await asyncio.sleep(0.01)
        await emptied(scene.client, KEYS.actions(nexus.inc))
        await bot.send(message(2))
        (delivery,) = await scene.read(again, 1)
        await scene.settle(again, delivery, reply("next", "a2"))
        assert (await next_action(bot))["params"]["message"] == "next"


@asynccontextmanager
async def listening(scene: Scene) -> AsyncIterator[asyncio.Queue[bytes]]:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    signals = Signals(scene.url, name="listener")
    signals.subscribe(KEYS.events, heard.put_nowait)
    try:
        yield heard
    finally:
        await signals.close()


async def test_accepted_events_are_published_while_somebody_listens(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    async with listening(scene) as heard:
        while not nexus.live.listened:
            await asyncio.sleep(0.01)
        await bot.send(message(1))
        envelope = decode_envelope(await asyncio.wait_for(heard.get(), 10))
        assert number_of(envelope) == 1


async def test_events_of_bots_that_could_not_be_registered_survive_a_restart(
    own_valkey: ValkeyProcess, home: Path
) -> None:
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        own_valkey.stop(kill=True)
        async with AsyncExitStack() as first:
            nexus = await Scene(own_valkey.url, home, first).nexus()
            link = await first.enter_async_context(dial(nexus))
            for n in range(20):
                await link.send(message(n))
            while nexus.router.counters["received"] < 20:
                await asyncio.sleep(0.01)
        own_valkey.start()
        lane = await scene.worker()
        await scene.nexus()
        deliveries = await scene.read(lane, 20)
        assert [number_of(decode_envelope(d.payload)) for d in deliveries] == list(range(20))


async def test_what_was_handed_over_and_is_left_again_is_in_one_file(
    own_valkey: ValkeyProcess, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "FLUSH_GRACE", 0.2)
    own_valkey.stop(kill=True)
    for n in range(2):
        async with AsyncExitStack() as stack:
            nexus = await Scene(own_valkey.url, home, stack).nexus()
            if n == 0:
                link = await stack.enter_async_context(dial(nexus))
                await link.send(message(n))
                while not nexus.router.counters["received"]:
                    await asyncio.sleep(0.01)
            folder = nexus.settings.home.spool
            (folder / "n1.dddddddd.spool").write_bytes(b"of a start that was killed")
    assert len(list(folder.glob("*.saved"))) == 1
    await Scene(own_valkey.url, home, stack).nexus()
    assert not list(folder.glob("*.spool"))
    await stack.aclose()


async def test_a_slow_stop_is_no_defect(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    nexus = await scene.nexus()
    stop = nexus.gateway.stop

    async def slowly() -> None:
        await asyncio.sleep(0.5)
        await stop()

    monkeypatch.setattr(nexus.gateway, "stop", slowly)
    ended: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    try:
        await scene.stack.aclose()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not ended


async def test_a_bot_that_leaves_while_redis_is_away_is_offline_afterwards(
    own_valkey: ValkeyProcess, home: Path
) -> None:
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        nexus = await scene.nexus()
        link = await scene.bot(nexus)
        own_valkey.stop(kill=True)
        await link.close()
        await asyncio.sleep(2.5 * registry.PUBLISH_SECONDS)
        own_valkey.start()
        async with asyncio.timeout(10):
            while await state_of_bot(scene) != b"offline":
                await asyncio.sleep(0.05)


async def state_of_bot(scene: Scene) -> bytes | None:
    try:
        state: bytes | None = await scene.client.call("HGET", KEYS.bot("qq:10001"), "state")
    except EngineUnavailable:
        return None
    return state


async def test_a_bot_that_cannot_be_registered_is_in_nobodys_way(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PAGE", 1)
    nexus = await scene.nexus()
    await scene.client.call("SET", KEYS.bot("qq:666"), "no hash")
    scene.stack.enter_context(capture_logs())
    await scene.stack.enter_async_context(dial(nexus, 666))
    await scene.bot(nexus)
    epoch = nexus.hub.bots["qq:10001"].epoch
    await asyncio.sleep(1)
    assert nexus.hub.bots["qq:10001"].epoch == epoch


async def test_a_claim_that_ends_after_its_bot_has_left_does_not_count(scene: Scene) -> None:
    nexus = await scene.nexus()
    link = await scene.bot(nexus)
    await link.close()
    bot = nexus.hub.bots["qq:10001"]
    async with asyncio.timeout(5):
        while bot.epoch:
            await asyncio.sleep(0.01)
    await scene.client.call("HSET", KEYS.bot(bot.key), "nexus", "n2.bbbbbbbb")
    nexus.registry.online(bot, "late")
    async with asyncio.timeout(5):
        while nexus.registry._to_claim:
            await asyncio.sleep(0.01)
    assert bot.epoch == 0
    assert await scene.client.call("HGET", KEYS.bot(bot.key), "nexus") == b"n2.bbbbbbbb"


async def test_a_nexus_starts_on_a_full_redis(scene: Scene) -> None:
    await scene.client.call("CONFIG", "SET", "maxmemory", "1")
    try:
        await scene.nexus()
    finally:
        await scene.client.call("CONFIG", "SET", "maxmemory", "0")


async def test_rubbish_in_redis_is_in_nobodys_way(scene: Scene) -> None:
    call, bad = scene.client.call, b"\xff"
    for name, own in ((bad, "1|x"), ("no-bar", "rubbish"), ("wrong", "1|wrong.x"), ("default", "1|default.x")):
        await call("HSET", KEYS.own, name, own)
    for text in (KEYS.lane("wrong"), KEYS.presence("wrong"), KEYS.actions("n9.x"), KEYS.bot("qq:666")):
        await call("SET", text, "no stream, no hash")
    await call("SADD", KEYS.nexuses, bad, "n9.x")
    await call("HSET", KEYS.affinity("qq:10001"), bad, bad)
    wrong: tuple[dict[str, Any], ...]
    wrong = ({"reply_to": None}, {"reply_to": 7}, {"aid": 5}, {"bot": "qq:666", "exp": 0}, {"exp": {}})
    for fields in wrong:
        orphan = json.loads(msgspec.json.encode(reply("lost", lives=-1))) | fields
        await call("XADD", KEYS.orphans, "*", "payload", json.dumps(orphan))
    await call("XADD", KEYS.orphans, "*", "payload", bad)
    await call("XADD", KEYS.orphans, "*", "payload", msgspec.json.encode(reply("found")))
    scene.stack.enter_context(capture_logs())

    nexus = await scene.nexus()
    lane = await scene.worker()
    await call("HSET", KEYS.presence("w1"), bad, bad)
    for body in ("w1 0 0", "w1 1 " + "9" * 400, bad):
        await call("PUBLISH", KEYS.settled(nexus.inc), body)
    bot = await scene.bot(nexus)
    assert (await next_action(bot))["params"]["message"] == "found"
    await bot.send(message(1))
    (delivery,) = await scene.read(lane, 1)
    lost = reply("for nobody")
    lost.bot = "qq:666"
    await scene.settle(lane, delivery, lost, reply("hello", "a2"))
    assert (await next_action(bot))["params"]["message"] == "hello"
    assert not [task for task in nexus._tasks if task.done()]


async def test_what_has_ended_is_told_when_redis_takes_it_again(scene: Scene) -> None:
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    box = ActionBox(scene.url, KEYS, "test.eeeeeeee")
    scene.stack.push_async_callback(box.close)
    calling = asyncio.create_task(box.call(reply("now"), timeout=8))
    frame = await next_action(bot)
    stream = KEYS.actions(nexus.inc)
    await scene.client.call("RENAME", stream, "aside")
    await scene.client.call("SET", stream, "no stream")
    with capture_logs() as logs:
        await answer(bot, frame, message_id=9)
        while not any(entry["event"] == "ended actions can't be taken off" for entry in logs):
            await asyncio.sleep(0.01)
        await scene.client.call("RENAME", "aside", stream)
        assert (await calling).state == "DONE"
