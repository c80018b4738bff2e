"""The worker's side of the spine on a real Valkey: ownership, fences, settling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import ActionEntry, decode_action, decode_envelope
from botmatrix.bus.keys import Keys
from botmatrix.bus.lanes import FENCED, KEPT, SETTLED, Lanes, Settlement
from botmatrix.bus.leases import LeaseThread
from botmatrix.bus.presence import Presence
from botmatrix.errors import BadEnvelope, Fenced
from botmatrix.worker.adoption import Adopter
from botmatrix.worker.drain import Drain

KEYS = Keys()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    client = Client(redis_url, name="test")
    yield client
    await client.close()


@pytest.fixture
async def first(redis_url: str) -> AsyncIterator[Lanes]:
    lanes = Lanes(redis_url, KEYS, "w1.aaaaaaaa")
    yield lanes
    await lanes.close()


@pytest.fixture
async def second(redis_url: str) -> AsyncIterator[Lanes]:
    lanes = Lanes(redis_url, KEYS, "w2.bbbbbbbb")
    yield lanes
    await lanes.close()


async def lease(client: Client, inc: str) -> None:
    await client.call("SET", KEYS.lease(inc), "1")


async def put(client: Client, lane: str, payload: str) -> bytes:
    entry: bytes = await client.call("XADD", KEYS.lane(lane), "*", "payload", payload)
    return entry


def action(aid: str = "a1") -> ActionEntry:
    return ActionEntry(bot="qq:1", aid=aid, action="send_msg", params=msgspec.Raw(b"{}"), exp=0)


async def test_a_lane_with_a_living_owner_is_busy(client: Client, first: Lanes, second: Lanes) -> None:
    await lease(client, first.inc)
    assert await first.join("w1") is not None
    assert await second.join("w1") is None


async def test_an_adopter_reads_the_unsettled_entries_again_in_order(
    client: Client, first: Lanes, second: Lanes
) -> None:
    await lease(client, first.inc)
    lane = await first.join("w1")
    assert lane is not None
    for n in range(5):
        await put(client, "w1", str(n))
    read = await first.read(lane, 3, 100)
    await first.settle(lane, [Settlement(read[1].entry_id, "n1.x", 1)])
    await client.call("DEL", KEYS.lease(first.inc))
    assert await second.orphans() == ["w1"]
    adopted = await second.join("w1")
    assert adopted is not None
    again = await second.read(adopted, 10, 100)
    assert [d.payload for d in again] == [b"0", b"2", b"3", b"4"]
    assert await second.deaths(adopted) == {read[0].entry_id: 1, read[2].entry_id: 1}


async def test_the_former_owner_is_fenced(client: Client, first: Lanes, second: Lanes) -> None:
    await lease(client, first.inc)
    lane = await first.join("w1")
    assert lane is not None
    await put(client, "w1", "x")
    read = await first.read(lane, 3, 100)
    await client.call("DEL", KEYS.lease(first.inc))
    assert await second.join("w1") is not None
    assert await first.settle(lane, [Settlement(read[0].entry_id, "n", 1, [action()])]) == bytes([FENCED])
    assert await client.call("XLEN", KEYS.orphans) == 0
    with pytest.raises(Fenced):
        await first.read(lane, 1, 100)


async def test_a_blocked_read_ends_fenced_when_the_lane_is_adopted(client: Client, first: Lanes, second: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    reading = asyncio.create_task(first.read(lane, 1, 3000))
    while not (await client.call("CLIENT", "LIST")).count(b"cmd=xreadgroup"):
        await asyncio.sleep(0)
    assert await second.join("w1") is not None
    with pytest.raises(Fenced):
        await reading


async def test_settling_sends_actions_to_the_nexus_of_the_bot(client: Client, first: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    await client.call("XGROUP", "CREATE", KEYS.actions("n1.x"), "g", "0", "MKSTREAM")
    await client.call("HSET", KEYS.bot("qq:1"), "nexus", "n1.x")
    await put(client, "w1", "x")
    (delivery,) = await first.read(lane, 3, 100)
    item = Settlement(delivery.entry_id, "n1.x", 5, [action("a1"), action("a2")])
    assert await first.settle(lane, [item, item]) == bytes([SETTLED, FENCED])
    entries = await client.call("XRANGE", KEYS.actions("n1.x"), "-", "+")
    assert [decode_action(fields[1]).aid for _, fields in entries] == ["a1", "a2"]
    assert await client.call("XLEN", KEYS.lane("w1")) == 0
    assert await client.call("HGET", KEYS.stats, "done") == b"1"


async def test_a_full_redis_still_settles_because_the_acknowledgement_comes_first(client: Client, first: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    await put(client, "w1", "x")
    (delivery,) = await first.read(lane, 3, 100)
    await client.call("CONFIG", "SET", "maxmemory", "1")
    try:
        letters = await first.settle(lane, [Settlement(delivery.entry_id, "n", 1, [action()])])
    finally:
        await client.call("CONFIG", "SET", "maxmemory", "0")
    assert letters == bytes([SETTLED])
    assert await client.call("XLEN", KEYS.lane("w1")) == 0
    assert await client.call("XLEN", KEYS.orphans) == 1


@pytest.mark.parametrize("released", [True, False])
async def test_a_lane_of_a_full_redis_can_be_joined_and_emptied(
    client: Client, first: Lanes, second: Lanes, released: bool
) -> None:
    old = await first.join("w1")
    assert old is not None
    await put(client, "w1", "x")
    await first.read(old, 3, 100)
    if released:
        await first.release(old)
    await client.call("CONFIG", "SET", "maxmemory", "1")
    try:
        lane = await second.join("w1")
        assert lane is not None
        (delivery,) = await second.read(lane, 3, 100)
        assert await second.settle(lane, [Settlement(delivery.entry_id, "n", 1)]) == bytes([SETTLED])
    finally:
        await client.call("CONFIG", "SET", "maxmemory", "0")


async def test_a_lease_is_renewed_in_a_full_redis(client: Client, redis_url: str) -> None:
    thread = LeaseThread(redis_url, KEYS, "w1.aaaaaaaa")
    await client.call("SET", KEYS.lease("w1.aaaaaaaa"), "1", "PX", 500)
    await client.call("CONFIG", "SET", "maxmemory", "1")
    try:
        await asyncio.to_thread(thread.renew)
    finally:
        await client.call("CONFIG", "SET", "maxmemory", "0")
    assert await client.call("PTTL", KEYS.lease("w1.aaaaaaaa")) > 5000


async def test_an_action_that_redis_refuses_is_told_apart(client: Client, first: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    await client.call("SET", KEYS.orphans, "somebody else's")
    await put(client, "w1", "x")
    (delivery,) = await first.read(lane, 3, 100)
    assert await first.settle(lane, [Settlement(delivery.entry_id, "n", 1, [action()])]) == bytes([KEPT])


async def test_a_dead_letter_keeps_its_payload_and_reason(client: Client, first: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    await put(client, "w1", "boom")
    (delivery,) = await first.read(lane, 3, 100)
    await first.settle(lane, [Settlement(delivery.entry_id, "", 0, dead="undecodable", payload=delivery.payload)])
    ((_, fields),) = await client.call("XRANGE", KEYS.dead, "-", "+")
    assert fields[:4] == [b"payload", b"boom", b"reason", b"undecodable"]


async def test_a_released_lane_is_free_at_once_and_nobody_is_blamed(
    client: Client, first: Lanes, second: Lanes
) -> None:
    await lease(client, first.inc)
    lane = await first.join("w1")
    assert lane is not None
    await put(client, "w1", "x")
    await first.read(lane, 3, 100)
    await first.release(lane)
    adopted = await second.join("w1")
    assert adopted is not None
    assert await second.deaths(adopted) == {}


async def test_only_an_empty_lane_of_the_callers_own_is_retired(client: Client, first: Lanes, second: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    await put(client, "w1", "x")
    assert not await first.retire(lane)
    (delivery,) = await first.read(lane, 3, 100)
    await first.settle(lane, [Settlement(delivery.entry_id, "n", 1)])
    assert not await second.retire(lane)
    assert await first.retire(lane)
    assert await client.call("EXISTS", KEYS.lane("w1"), KEYS.own) == 0


async def test_only_suspects_are_blamed_for_a_further_death(client: Client, first: Lanes, second: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    await put(client, "w1", "guilty")
    await put(client, "w1", "innocent")
    guilty, _ = await first.read(lane, 2, 100)
    await first.suspect(lane, guilty.entry_id)
    adopted = await second.join("w1")
    assert adopted is not None
    assert await second.deaths(adopted) == {guilty.entry_id: 1}


async def test_rubbish_in_redis_is_left_out(client: Client, first: Lanes, redis_url: str) -> None:
    bad = b"\xff"
    await client.call("HSET", KEYS.own, bad, bad, "w1", "1|w1.gone", "default", "1|x.gone")
    await client.call("HSET", KEYS.deaths("w1"), "1-1", "many", "1-2", "2")
    await client.call("SADD", KEYS.workers, bad, "wrong")
    await client.call("SADD", KEYS.bots, bad)
    await client.call("SADD", KEYS.nexuses, bad)
    await client.call("SET", KEYS.presence("wrong"), "no hash")
    await client.call("SET", KEYS.lane("w2"), "no stream")
    await client.call("HSET", KEYS.own, "w2", "1|w2.gone")
    await client.call("XADD", KEYS.dead, "*", "payload", bad, "reason", bad)
    assert sorted(await first.orphans()) == ["w1", "w2"]
    lane = await first.join("w1")
    assert lane is not None
    assert await first.deaths(lane) == {b"1-2": 2}
    presence = Presence(redis_url, KEYS)
    assert await presence.workers() == []
    assert len(await presence.bots()) == 1
    assert len(await presence.nexuses()) == 1
    assert "w2" in [queue.lane for queue in await presence.queues()]
    assert len(await presence.dead()) == 1
    await presence.close()


def test_what_is_nested_too_deep_is_undecodable() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for decode in (decode_action, decode_envelope):
        with pytest.raises(BadEnvelope):
            decode(b'{"params":%b,"event":%b}' % (deep, deep))


async def test_an_orphan_that_redis_refuses_is_in_nobodys_way(client: Client, first: Lanes) -> None:
    await client.call("SET", KEYS.lane("wrong"), "no stream")
    for name in ("wrong", "w8", "w9"):
        await client.call("HSET", KEYS.own, name, f"1|{name}.gone")
    async with asyncio.timeout(5):
        lanes = await Adopter("w1", first, Drain())._adopt(besides=set())
    assert sorted(lane.name for lane in lanes) == ["w8", "w9"]


def test_a_time_beyond_all_calendars_is_undecodable() -> None:
    fields = b'"id":"1","bot":"qq:1","conv":"bot","nexus":"n","epoch":1,"event":{}'
    assert decode_envelope(b'{%b,"t":1700000000000}' % fields).t == 1_700_000_000_000
    with pytest.raises(BadEnvelope):
        decode_envelope(b'{%b,"t":%b}' % (fields, b"9" * 400))


async def test_a_reason_that_is_no_unicode_is_settled_all_the_same(client: Client, first: Lanes) -> None:
    lane = await first.join("w1")
    assert lane is not None
    await put(client, "w1", "x")
    (delivery,) = await first.read(lane, 3, 100)
    item = Settlement(delivery.entry_id, "n", 1, dead="no file \udcff", payload=b"x")
    assert await first.settle(lane, [item]) == bytes([SETTLED])
