"""Limits in a whole nexus on a real Valkey."""

from __future__ import annotations

from tests.integration.nexus.scene import KEYS, Scene, message
from tests.integration.nexus.test_core import until

from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.hot import HotBox
from botmatrix.bus.hot_values import Kind


async def test_what_is_over_the_limit_of_a_user_is_counted_and_the_books_balance(scene: Scene) -> None:
    await HotBox(scene.client, KEYS).change(Kind.RATELIMIT, {"user_limit_per_min": "5"}, clear=False)
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    for number in range(9):
        await bot.send(message(number))
    assert len(await scene.read(lane, 5)) == 5
    await until(lambda: nexus.counters()["blocked_limited_user"] == 4)
    counted = nexus.counters()
    assert counted["received"] == counted["blocked"] + counted["accepted"] + counted["waiting"] == 9


async def test_a_limit_is_lifted_for_one_group_while_the_nexus_runs(scene: Scene) -> None:
    await scene.client.call("HSET", KEYS.config_ratelimit, "group_limit_per_min", "1")
    nexus, lane = await scene.nexus(), await scene.worker()
    bot = await scene.bot(nexus)
    for number in range(3):
        await bot.send(message(number))
    await until(lambda: nexus.counters()["blocked_limited_group"] == 2)
    await scene.client.call("HSET", KEYS.config_ratelimit, "group:456:limit", "0")
    await until(lambda: bool(nexus.hot.limits.exceptions), seconds=5)
    for number in range(3, 6):
        await bot.send(message(number))
    assert [decode_envelope(one.payload).conv for one in await scene.read(lane, 4)] == ["group:456"] * 4
    assert nexus.counters()["blocked"] == 2
