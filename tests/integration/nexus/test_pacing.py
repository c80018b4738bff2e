"""Messages that wait for their turn, on a real Valkey: never dropped, never sent twice."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import msgspec
import pytest
from tests.integration.nexus.scene import KEYS, Scene, answer, emptied, next_action, reply
from tests.integration.nexus.test_core import until
from websockets.asyncio.client import ClientConnection

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.envelope import ActionEntry, encode
from botmatrix.nexus import pacer
from botmatrix.nexus.app import Nexus
from botmatrix.vital import must_not_end as task_ended

BOT = "qq:10001"
ROOM = KEYS.room(BOT)


async def limit(scene: Scene, **fields: int) -> None:
    await scene.client.call("HSET", KEYS.config_ratelimit, *(part for pair in fields.items() for part in pair))


async def ask(scene: Scene, nexus: Nexus, *actions: ActionEntry) -> None:
    for action in actions:
        await scene.client.call("XADD", KEYS.actions(nexus.inc), "*", "payload", encode(action))


def to(group: int, text: str, **more: Any) -> ActionEntry:
    action = reply(text, f"{group}-{text}", **more)
    action.params = msgspec.Raw(json.dumps({"group_id": group, "message": text}).encode())
    return action


async def heard(bot: ClientConnection, count: int) -> list[str]:
    """So many messages that the bot is asked to send, answered."""
    texts = []
    for _ in range(count):
        frame = await next_action(bot)
        await answer(bot, frame)
        texts.append(frame["params"]["message"])
    return texts


async def test_messages_leave_in_order_with_a_pause_and_waiting_does_not_count_as_age(scene: Scene) -> None:
    await limit(scene, send_bot_per_min=120, send_jitter_ms=50)
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await until(lambda: not nexus.actions.pacer.waiting)
    started = time.monotonic()
    await ask(scene, nexus, *(to(1, str(n), lives=1.2) for n in range(4)))
    assert await heard(bot, 4) == ["0", "1", "2", "3"]
    assert 1.5 <= time.monotonic() - started < 4
    await emptied(scene.client, KEYS.actions(nexus.inc))
    await until(lambda: nexus.counters()["paced_waiting"] == 0)
    assert await scene.client.call("EXISTS", ROOM, KEYS.paced) == 0
    assert nexus.counters()["action_done"] == 4
    assert nexus.counters()["action_expired"] == 0


async def test_one_slow_target_does_not_hold_up_another_nor_what_is_no_message(scene: Scene) -> None:
    await limit(scene, send_target_per_min=30)
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await ask(scene, nexus, to(1, "a"), to(1, "b"), to(1, "c"), to(2, "d"), to(1, "e", action="set_group_kick"))
    assert sorted(await heard(bot, 3)) == ["a", "d", "e"]
    assert await heard(bot, 2) == ["b", "c"]


async def test_what_waits_goes_with_the_bot_to_another_nexus_once_and_in_order(scene: Scene) -> None:
    await limit(scene, send_bot_per_min=120)
    first, second = await scene.nexus("n1"), await scene.nexus("n2")
    old = await scene.bot(first)
    await ask(scene, first, *(to(1, str(n)) for n in range(8)))
    before = await heard(old, 2)
    await old.close()
    new = await scene.bot(second)
    assert before + await heard(new, 6) == [str(n) for n in range(8)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.8):
            await next_action(new)


async def test_a_nexus_that_dies_leaves_what_waits_to_the_next(scene: Scene) -> None:
    await limit(scene, send_bot_per_min=60)
    first = await scene.nexus("n1")
    old = await scene.bot(first)
    await ask(scene, first, *(to(1, str(n)) for n in range(5)))
    before = await heard(old, 1)
    while await scene.client.call("XLEN", ROOM) < 4:
        await asyncio.sleep(0.005)
    for task in first._tasks:  # as after kill -9: nothing is handed over
        task.remove_done_callback(task_ended)
        task.cancel()
    await asyncio.to_thread(first.lease.stop)
    await scene.client.call("DEL", KEYS.lease(first.inc))
    second = await scene.nexus("n2")
    await limit(scene, send_bot_per_min=600)
    new = await scene.bot(second)
    assert before + await heard(new, 4) == [str(n) for n in range(5)]
    assert await scene.client.call("HGET", KEYS.stats, "actions_unknown") is None


async def test_an_orderly_stop_keeps_what_waits(scene: Scene) -> None:
    await limit(scene, send_bot_per_min=60)
    first = await scene.nexus("n1")
    await scene.bot(first)
    await ask(scene, first, *(to(1, str(n)) for n in range(5)))
    await until(lambda: first.counters()["action_paced"] >= 4)
    await first.stop()
    assert await scene.client.call("XLEN", ROOM) >= 3


async def test_when_the_limit_is_lifted_the_rest_leaves_at_once_in_order(scene: Scene) -> None:
    await limit(scene, send_bot_per_min=6)
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await ask(scene, nexus, *(to(1, str(n)) for n in range(300)))
    assert await heard(bot, 1) == ["0"]
    await until(lambda: nexus.actions.pacer.waiting == 299)
    await until(lambda: nexus.actions.open == 0)
    await scene.client.call("DEL", KEYS.config_ratelimit)
    assert await heard(bot, 299) == [str(n) for n in range(1, 300)]


async def test_other_bots_are_not_held_up(scene: Scene) -> None:
    await limit(scene, **{"bot:10001:send_limit": 1})
    nexus = await scene.nexus()
    await scene.bot(nexus)
    other = await scene.bot(nexus, 10002)
    free = to(1, "free")
    free.bot = "qq:10002"
    await ask(scene, nexus, *(to(1, str(n)) for n in range(400)), free)
    assert await heard(other, 1) == ["free"]


async def test_what_does_not_fit_into_the_room_fails_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacer, "MOST", 3)
    await limit(scene, send_bot_per_min=1)
    nexus = await scene.nexus()
    bot = await scene.bot(nexus)
    await until(lambda: not nexus.actions.pacer._waiting)  # it has looked whether something waits from before
    await ask(scene, nexus, *(to(1, str(n)) for n in range(4)))
    assert await heard(bot, 1) == ["0"]
    await until(lambda: nexus.actions.pacer.waiting == 3)
    box = ActionBox(scene.url, KEYS, "test.eeeeeeee")
    scene.stack.push_async_callback(box.close)
    result = await box.call(to(1, "too many"), timeout=5)
    assert (result.state, result.retcode) == ("FAILED", 1400)
    assert nexus.counters()["action_crowded_out"] == 1
