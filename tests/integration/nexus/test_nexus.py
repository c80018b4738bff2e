"""A whole nexus on a real Valkey: events, from a bot to a lane, and whose a bot is."""

from __future__ import annotations

import asyncio

from tests.integration.nexus.scene import (
    KEYS,
    Scene,
    answer,
    emptied,
    message,
    next_action,
    number_of,
    parked,
    reply,
)

from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.keys import PARKING


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


async def test_a_newer_link_at_another_nexus_closes_the_older_one(scene: Scene) -> None:
    first, second = await scene.nexus("n1"), await scene.nexus("n2")
    old = await scene.bot(first)
    await scene.bot(second)
    async with asyncio.timeout(10):
        await old.wait_closed()
    assert old.close_code == 4001
