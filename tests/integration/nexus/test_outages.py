"""A nexus while Redis, a bot or the nexus itself goes away."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import (
    KEYS,
    Scene,
    answer,
    dial,
    emptied,
    message,
    next_action,
    number_of,
    reply,
)
from tests.integration.nexus.test_ingest import appended, forget

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.signals import Signals
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus import app, registry


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
