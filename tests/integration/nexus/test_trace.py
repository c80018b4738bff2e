"""What a nexus reports of the events and actions that it meets, on a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import KEYS, answer, next_action, reply
from tests.integration.nexus.test_core import CoreScene, said, until

from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.event_id import is_traced
from botmatrix.bus.hot import HotBox
from botmatrix.bus.hot_values import Kind
from botmatrix.bus.rules import RulesMirror
from botmatrix.bus.trace_parts import Acted, Heard, Ran, Repeated
from botmatrix.bus.trace_reading import decode
from botmatrix.bus.trace_stream import START, TraceStream
from botmatrix.routing.rule import make_rule

P = TypeVar("P", Heard, Repeated, Ran, Acted)


class TraceScene(CoreScene):
    """A scene whose trace can be read."""

    async def reported(self, kind: type[P], count: int) -> list[P]:
        """So many parts of a kind."""
        stream = TraceStream(self.url, KEYS, name="test")
        try:
            async with asyncio.timeout(10):
                while True:
                    entries = await stream.after(START, 1000)
                    parts: list[Any] = [
                        part for entry in entries for part in decode(entry.payload) if isinstance(part, kind)
                    ]
                    if len(parts) >= count:
                        return parts
                    await asyncio.sleep(0.02)
        finally:
            await stream.close()


@pytest.fixture
async def scene(redis_url: str, home: Path) -> AsyncIterator[TraceScene]:
    async with AsyncExitStack() as stack:
        scene = TraceScene(redis_url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        yield scene


async def test_an_event_and_its_answer_are_reported_under_the_id_of_the_envelope(scene: TraceScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    await nexus.workers.look()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "hello"))
    (delivery,) = await scene.read(lane, 1)
    envelope = decode_envelope(delivery.payload)
    assert is_traced(envelope.id)
    action = reply("hi there")
    action.eid = envelope.id
    await scene.settle(lane, delivery, action)
    await answer(bot, await next_action(bot), message_id=77)
    (heard,), (acted,) = await scene.reported(Heard, 1), await scene.reported(Acted, 1)
    assert (heard.id, heard.t, heard.bot, heard.nexus) == (envelope.id, envelope.t, envelope.bot, nexus.inc)
    assert (heard.kind, heard.user, heard.group, heard.text, heard.lane) == (
        *("message.group", "7", "456", "hello", "w1"),
    )
    assert (acted.id, acted.state, acted.conv, acted.text, acted.message_id) == (
        *(envelope.id, "DONE", "group:456", "hi there", "77"),
    )
    assert heard.t <= heard.at <= acted.queued <= acted.sent <= acted.ended


async def test_a_closed_system_and_a_blocked_user_are_reported_and_counted(scene: TraceScene) -> None:
    await scene.configure({"permissions": {"blacklist": {"system": ["qq:8"]}}})
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "hello", user=8))
    await scene.reported(Heard, 1)
    await scene.configure({"system_control": {"open": False}}, version=2)
    await until(lambda: bool(nexus.core.state.judge.closed))
    await bot.send(said(2, "hello"))
    parts = await scene.reported(Heard, 2)
    assert [(part.user, part.reason, part.lane) for part in parts] == [
        ("8", "user_blacklisted", ""),
        ("7", "system_closed", ""),
    ]
    counted = nexus.counters()
    assert (counted["blocked_user_blacklisted"], counted["blocked_system_closed"]) == (1, 1)


async def test_a_limit_hit_is_reported_and_counted(scene: TraceScene) -> None:
    await HotBox(scene.client, KEYS).change(Kind.RATELIMIT, {"user_limit_per_min": "1"}, clear=False)
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "hello"))
    await bot.send(said(2, "hello"))
    passed, stopped = await scene.reported(Heard, 2)
    assert (passed.reason, stopped.reason, stopped.detail) == ("", "limited_user", "more than 1 a minute")
    assert nexus.counters()["blocked_limited_user"] == 1


async def test_a_duplicate_is_reported_and_counted(scene: TraceScene) -> None:
    nexus, _ = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "hello"))
    await bot.send(said(1, "hello"))
    first, second = await scene.reported(Heard, 2)
    (repeated,) = await scene.reported(Repeated, 1)
    assert repeated.id == second.id != first.id
    assert nexus.counters()["duplicate"] == 1


async def test_a_rule_is_named_whether_it_sends_or_blocks(scene: TraceScene) -> None:
    mirror = RulesMirror(scene.client, KEYS)
    rules = [make_rule("user_7", "w1"), make_rule("user_8", "block"), make_rule("user_9", "gone", fallback="drop")]
    await mirror.write(rules, ())
    nexus, _ = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    for user in (7, 8, 9):
        await bot.send(said(user, "hello", user=user))
    parts = await scene.reported(Heard, 3)
    assert [(part.rule, part.reason, part.detail) for part in parts] == [
        ("user_7", "", ""),
        ("", "rule", "user_8"),
        ("", "target_away", "user_9"),
    ]


async def test_an_event_without_a_worker_is_reported_as_parked(scene: TraceScene) -> None:
    bot = await scene.bot(await scene.nexus())
    await bot.send(said(1, "hello"))
    assert [part.lane for part in await scene.reported(Heard, 1)] == ["default"]


async def test_an_answer_that_came_too_late_and_one_that_was_refused_are_reported(scene: TraceScene) -> None:
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    await bot.send(said(1, "hello"))
    (delivery,) = await scene.read(lane, 1)
    await scene.settle(lane, delivery, reply("old", "a1", lives=-1), reply("muted", "a2"))
    frame = await next_action(bot)
    refusal = {"status": "failed", "retcode": 120, "data": None, "message": "muted", "echo": frame["echo"]}
    await bot.send(msgspec.json.encode(refusal).decode())
    parts = await scene.reported(Acted, 2)
    assert [(part.aid, part.state, part.code) for part in parts] == [("a1", "EXPIRED", 1400), ("a2", "FAILED", 120)]


async def test_the_trace_is_no_part_of_the_message_path(own_valkey: ValkeyProcess, home: Path) -> None:
    async with AsyncExitStack() as stack:
        scene = TraceScene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        await scene.client.call("SET", KEYS.trace, "of another type")
        nexus, lane = await scene.nexus(), await scene.worker()
        bot = await scene.bot(nexus)
        await bot.send(said(1, "hello"))
        assert await scene.heard(lane, 1) == [1]
        await until(lambda: nexus.counters()["trace_dropped"] >= 1)
        await scene.client.call("DEL", KEYS.trace)
        await bot.send(said(2, "hello"))
        assert await scene.heard(lane, 1) == [2]
        assert [part.message_id for part in await scene.reported(Heard, 1)] == ["2"]
