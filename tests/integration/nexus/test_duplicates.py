"""The same event twice: once on the lane, once in the counters; how long it is remembered is hot."""

from __future__ import annotations

import asyncio
import json

from tests.integration.nexus.scene import KEYS, Scene, message
from tests.integration.nexus.test_core import until

from botmatrix.bus.hot import HotBox
from botmatrix.bus.hot_values import Kind
from botmatrix.nexus.dispatcher import duplicate_mark
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session


def mark(number: int) -> str:
    event = Session("10001", "x").receive(message(number).encode())
    assert isinstance(event, Event)
    return KEYS.mark(duplicate_mark("qq:10001", event))


async def test_the_time_for_which_an_event_is_a_duplicate_is_hot(scene: Scene) -> None:
    nexus = await scene.nexus()
    await scene.worker()
    bot = await scene.bot(nexus)
    for _ in range(2):
        await bot.send(message(1))
    await until(lambda: nexus.counters()["duplicate"] == 1)
    assert 110_000 < await scene.client.call("PTTL", mark(1)) <= 120_000
    await asyncio.sleep(0.5)  # the subscriptions are made side by side with the start
    await HotBox(scene.client, KEYS).change(Kind.TTL, {"idempotency_ttl_sec": "1"}, clear=False)
    await until(lambda: nexus.hot.ttls.idempotency_ttl_sec == 1, seconds=1)
    await bot.send(message(2))
    await until(lambda: nexus.counters()["accepted"] == 2)
    assert await scene.client.call("PTTL", mark(2)) <= 1000
    while await scene.client.call("EXISTS", mark(2)):
        await asyncio.sleep(0.05)
    await bot.send(message(2))
    await until(lambda: nexus.counters()["accepted"] == 3)
    counted = nexus.counters()
    assert counted["received"] == counted["accepted"] + counted["duplicate"] == 4


def notice(kind: str, **fields: object) -> Event:
    about = {"post_type": "notice", "notice_type": kind, "self_id": 10001, "time": 1_700_000_000, "group_id": 456}
    event = Session("10001", "x").receive(json.dumps({**about, "message_id": 5, **fields}).encode())
    assert isinstance(event, Event)
    return event


def test_notices_about_one_message_in_one_second_are_not_the_same_event() -> None:
    """Two members of a group who react to a message, or one who does twice."""
    reactions = [(7, "76"), (8, "76"), (8, "77")]
    events = [notice("group_msg_emoji_like", user_id=user, likes=[{"emoji_id": emoji}]) for user, emoji in reactions]
    marks = {duplicate_mark("qq:10001", event) for event in (*events, events[0])}
    assert len(marks) == len(reactions)
