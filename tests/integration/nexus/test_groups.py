"""Several bots in one group, at two nexuses on one Valkey."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.conftest import ValkeyProcess
from tests.integration.nexus.scene import KEYS, Scene
from tests.integration.nexus.test_core import said, until
from websockets.asyncio.client import ClientConnection

from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.groups import GroupsBox
from botmatrix.bus.lanes import Lane
from botmatrix.nexus.app import Nexus
from botmatrix.routing.groups import GroupPolicies, GroupPolicy, Policy

GROUP, FIRST, SECOND = "qq:456", "qq:10001", "qq:10002"


async def govern(scene: Scene, policy: Policy, *bots: str, version: int = 1) -> None:
    document = GroupPolicies(groups={GROUP: GroupPolicy(policy=policy, bots=[*bots], since=int(time.time()))})
    box = GroupsBox(scene.client, KEYS)
    assert await box.write(document.to_json(), expected=version - 1, version=version)


async def pair(scene: Scene) -> tuple[list[Nexus], list[ClientConnection]]:
    """Two nexuses with a bot each."""
    nexuses = [await scene.nexus("n1"), await scene.nexus("n2")]
    return nexuses, [await scene.bot(nexuses[0], 10001), await scene.bot(nexuses[1], 10002)]


async def both_hear(bots: list[ClientConnection], number: int, **more: Any) -> None:
    for bot, self_id in zip(bots, (10001, 10002), strict=True):
        await bot.send(said(number, "hello", self_id=self_id, **more))


async def answering(scene: Scene, lane: Lane, count: int = 1) -> list[tuple[str, int]]:
    """Whose messages reach the worker: the bot and the number."""
    deliveries = await scene.read(lane, count)
    envelopes = [decode_envelope(one.payload) for one in deliveries]
    return sorted((one.bot, json.loads(bytes(one.event))["message_id"]) for one in envelopes)


def chosen(nexus: Nexus) -> str:
    return nexus.groups._responsible.get(GROUP, "")


async def test_without_a_policy_every_bot_answers(scene: Scene) -> None:
    (nexus, _), bots = await pair(scene)
    lane = await scene.worker()
    await both_hear(bots, 1)
    assert await answering(scene, lane, 2) == [(FIRST, 1), (SECOND, 1)]
    assert not nexus.groups.are_governed


async def test_one_of_the_list_answers_and_another_when_it_is_gone(scene: Scene) -> None:
    await govern(scene, Policy.ONE, SECOND, FIRST)
    nexuses, bots = await pair(scene)
    lane = await scene.worker()
    await until(lambda: [chosen(one) for one in nexuses] == [SECOND, SECOND])
    await both_hear(bots, 1)
    assert await answering(scene, lane) == [(SECOND, 1)]
    await until(lambda: nexuses[0].counters()["blocked_other_bot"] == 1)
    await bots[1].close()
    assert await until(lambda: chosen(nexuses[0]) == FIRST) < 2.5
    await bots[0].send(said(2, "hello"))
    assert await answering(scene, lane) == [(FIRST, 2)]
    bots[1] = await scene.bot(nexuses[1], 10002)
    await until(lambda: [chosen(one) for one in nexuses] == [SECOND, SECOND])
    counted = nexuses[0].counters()
    assert counted["received"] == counted["blocked"] + counted["accepted"] + counted["waiting"] == 2


async def test_a_policy_acts_within_a_second_and_bots_that_are_heard_find_each_other(scene: Scene) -> None:
    nexuses, bots = await pair(scene)
    lane = await scene.worker()
    await asyncio.sleep(0.5)  # the subscriptions are made side by side with the start
    await govern(scene, Policy.ONE)
    assert await until(lambda: all(one.groups.are_governed for one in nexuses)) < 1
    await both_hear(bots, 1)
    await until(lambda: [chosen(one) for one in nexuses] == [FIRST, FIRST], seconds=2)
    await both_hear(bots, 2)
    await answering(scene, lane, 3)
    await until(lambda: nexuses[1].counters()["blocked_other_bot"] == 1)
    assert nexuses[0].counters()["blocked"] == 0


async def test_a_lost_nudge_heals(scene: Scene) -> None:
    nexus = await scene.nexus()
    document = GroupPolicies(groups={GROUP: GroupPolicy(policy=Policy.ONE)})
    await scene.client.call("MSET", KEYS.groups_policies, document.to_json(), KEYS.groups_version, "1")
    assert await until(lambda: nexus.groups.are_governed) < 10


async def test_the_bot_that_is_mentioned_answers_else_the_first(scene: Scene) -> None:
    await govern(scene, Policy.MENTIONED, FIRST, SECOND)
    nexuses, bots = await pair(scene)
    lane = await scene.worker()
    await until(lambda: [chosen(one) for one in nexuses] == [FIRST, FIRST])

    def at(*names: str) -> dict[str, Any]:
        return {"message": [*({"type": "at", "data": {"qq": name}} for name in names), {"type": "text", "data": {}}]}

    await both_hear(bots, 1)
    await both_hear(bots, 2, **at("10002"))
    await both_hear(bots, 3, **at("10001", "10002"))
    await both_hear(bots, 4, **at("all"))
    await both_hear(bots, 5, message="[CQ:at,qq=10002] hi")
    expected = [(FIRST, 1), (FIRST, 3), (FIRST, 4), (SECOND, 2), (SECOND, 3), (SECOND, 5)]
    assert await answering(scene, lane, 6) == expected
    await bots[1].close()
    await until(lambda: not nexuses[0].groups._is_online(SECOND))
    await bots[0].send(said(6, "x", **at("10002")))
    assert await answering(scene, lane) == [(FIRST, 6)]


async def test_private_messages_and_what_concerns_the_bot_itself_always_go_on(scene: Scene) -> None:
    await govern(scene, Policy.ONE, FIRST, SECOND)
    nexuses, bots = await pair(scene)
    lane = await scene.worker()
    await until(lambda: chosen(nexuses[1]) == FIRST)
    notice = {"post_type": "notice", "notice_type": "group_increase", "message_type": None}
    request = {"post_type": "request", "request_type": "group"}
    frames: list[dict[str, Any]] = [{"group": 0}, {**notice, "user": 10002}, request, notice]
    for number, more in enumerate(frames, 1):
        await bots[1].send(said(number, "x", self_id=10002, **more))
    assert await answering(scene, lane, 3) == [(SECOND, 1), (SECOND, 2), (SECOND, 3)]
    await until(lambda: nexuses[1].counters()["blocked_other_bot"] == 1)


async def test_a_bot_that_no_longer_hears_the_group_is_passed_over(scene: Scene) -> None:
    await govern(scene, Policy.ONE, FIRST, SECOND)
    nexuses, bots = await pair(scene)
    await until(lambda: chosen(nexuses[1]) == FIRST)
    groups = nexuses[1].groups
    groups._hear(GROUP, SECOND, int(time.time()) + 100)
    groups._decide()
    assert chosen(nexuses[1]) == FIRST
    groups._behind[GROUP, FIRST] -= 61
    groups._decide()
    assert chosen(nexuses[1]) == SECOND
    await bots[0].send(said(1, "hello", time=int(time.time())))
    groups._heard[GROUP][FIRST] = int(time.time()) + 100
    groups._decide()
    assert chosen(nexuses[1]) == FIRST


async def test_a_start_without_redis_goes_by_the_last_good_copy(own_valkey: ValkeyProcess, home: Path) -> None:
    async with AsyncExitStack() as stack:
        scene = Scene(own_valkey.url, home, stack)
        stack.push_async_callback(scene.client.close)
        stack.push_async_callback(scene.lanes.close)
        await govern(scene, Policy.ONE, FIRST)
        await scene.nexus("n1")
        await until((home / "group-policies.json").exists)
        own_valkey.stop(kill=True)
        second = await scene.nexus("n2")
        assert second.groups.are_governed
        own_valkey.start()
