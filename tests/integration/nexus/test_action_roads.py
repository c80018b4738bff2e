"""Actions on their way to a bot: handed on, rescued, expired, answered, unknown."""

from __future__ import annotations

import asyncio
import json

import msgspec
from tests.integration.nexus.scene import (
    KEYS,
    Scene,
    answer,
    next_action,
    reply,
)

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.scripts import FORWARD
from botmatrix.vital import must_not_end


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
