"""Events that wait for the target of their rule, and copies for several: nobody is held up, order is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.integration.nexus.scene import KEYS, emptied, message, number_of
from tests.integration.nexus.test_routing import Matrix, said_by, until

from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.keys import PARKING
from botmatrix.nexus import ingest, parking, pins
from botmatrix.routing.rule import make_rule


@pytest.fixture
async def matrix(redis_url: str, home: Path) -> AsyncIterator[Matrix]:
    async with AsyncExitStack() as stack:
        matrix = Matrix(redis_url, home, stack)
        stack.push_async_callback(matrix.client.close)
        stack.push_async_callback(matrix.lanes.close)
        yield matrix


async def gone(matrix: Matrix, place: str) -> None:
    """Until a parking place is no more."""
    async with asyncio.timeout(10):
        while await matrix.client.call("EXISTS", KEYS.lane(place)):
            await asyncio.sleep(0.01)
    assert not await matrix.client.call("SISMEMBER", KEYS.parkings, place)


async def letters(matrix: Matrix, count: int) -> list[tuple[bytes, bytes]]:
    """Reason and place of so many dead letters."""
    async with asyncio.timeout(10):
        while len(found := await matrix.client.call("XRANGE", KEYS.dead, "-", "+")) < count:
            await asyncio.sleep(0.01)
    return [(fields[3], fields[5]) for _, fields in found]


async def test_what_waits_for_a_target_holds_nobody_up_and_comes_in_order(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    bot = await matrix.bot(nexus)
    await until(lambda: nexus.workers.candidates)
    await matrix.rules(nexus, make_rule("group_5", "w7", fallback="wait"))
    for number in range(100):
        await bot.send(message(number, group=5))
        await bot.send(message(number, group=6))
    assert await matrix.numbers("wait:w7", 100) == list(range(100))
    assert await matrix.numbers("w1", 100) == list(range(100))
    assert await matrix.client.call("XLEN", KEYS.lane(PARKING)) == 0
    await matrix.lane("w7")
    for number in range(100, 200):
        await bot.send(message(number, group=5))
    assert await matrix.numbers("w7", 200) == list(range(200))
    await gone(matrix, "wait:w7")
    assert nexus.counters()["waiting"] == 0


async def test_a_conversation_that_never_pauses_leaves_the_place_where_it_waited(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    await matrix.rules(
        nexus, make_rule("group_456", "pool:vip", fallback="wait"), make_rule("group_9", "w9", fallback="wait")
    )
    await bot.send(message(0, group=9))
    await bot.send(message(0))
    await matrix.numbers("wait:pool:vip", 1)
    await matrix.lane("v1", "vip")
    number = 0
    async with asyncio.timeout(10):
        while (pin := nexus.pins.get("qq:10001|group:456\tpool:vip")) is None or pin.lane != "v1":
            number += 1
            await bot.send(message(number))
            await asyncio.sleep(0.001)
    assert await matrix.numbers("v1", number + 1) == list(range(number + 1))
    assert await matrix.numbers("wait:w9", 1) == [0]


async def test_who_stands_behind_others_in_the_parking_place_is_not_held_when_they_stay(matrix: Matrix) -> None:
    """Nobody serves the default pool: what belongs there stays, and what a rule sends elsewhere is not behind it."""
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    await matrix.rules(nexus, make_rule("group_5", "pool:vip"))
    await bot.send(message(0, group=6))
    await bot.send(message(0, group=5))
    assert await matrix.numbers("away:pool:vip", 1) == [0]
    await matrix.lane("v1", "vip")
    await bot.send(message(1, group=5))
    assert await matrix.numbers("v1", 2) == [0, 1]
    await gone(matrix, "away:pool:vip")
    assert await matrix.numbers(PARKING, 1) == [0]


async def test_a_day_is_the_longest_that_an_event_waits(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    await matrix.rules(nexus, make_rule("group_5", "w7", fallback="wait"))
    await bot.send(message(1, group=5))
    await bot.send(message(1, group=6))
    await matrix.numbers("wait:w7", 1)
    told: list[tuple[int, str]] = []
    nexus.parking.on_buried = lambda payload, reason: told.append((number_of(decode_envelope(payload)), reason))
    monkeypatch.setattr(parking, "WAIT_SECONDS", 0.0)
    assert await letters(matrix, 1) == [(b"expired", b"wait:w7")]
    await gone(matrix, "wait:w7")
    assert told == [(1, "expired")]
    assert (nexus.counters()["expired"], await matrix.client.call("HGET", KEYS.stats, "dead")) == (1, b"1")
    assert await matrix.numbers(PARKING, 1) == [1]
    monkeypatch.undo()
    await until(lambda: nexus.pins.get("qq:10001|group:5\tw7") is None)
    await bot.send(message(2, group=5))
    assert await matrix.numbers("wait:w7", 1) == [2]


async def test_what_waits_has_bounds_and_what_is_beyond_is_blocked_and_counted(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "HIGH_WATER", 3)
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    await matrix.rules(nexus, make_rule("group_5", "w7", fallback="wait"))
    for number in range(8):
        await bot.send(message(number, group=5))
    await until(lambda: nexus.counters()["blocked_waiting_full"] == 5)
    assert await matrix.numbers("wait:w7", 3) == [0, 1, 2]
    counters = nexus.counters()
    assert (counters["received"], counters["accepted"], counters["blocked"], counters["waiting"]) == (8, 3, 5, 0)
    await bot.send(message(1, group=6))
    assert await matrix.numbers(PARKING, 1) == [1]


async def test_what_waits_goes_where_its_rule_says_by_then(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    await matrix.lane("v1", "vip")
    bot = await matrix.bot(nexus)
    await until(lambda: len(nexus.workers.candidates) == 2)
    rules = [make_rule(f"group_{group}", f"w{group}", fallback="wait") for group in (5, 6, 7, 8)]
    await matrix.rules(nexus, *rules)
    for group in (5, 6, 7, 8):
        await bot.send(message(group, group=group))
        await matrix.numbers(f"wait:w{group}", 1)
    changed = (("group_5", "pool:vip"), ("group_6", "block"), ("group_7", "w9"))
    await matrix.rules(nexus, *(make_rule(key, target, fallback="wait") for key, target in changed))
    assert await matrix.numbers("v1", 1) == [5]
    assert await letters(matrix, 1) == [(b"blocked_rule", b"wait:w6")]
    assert await matrix.numbers("wait:w9", 1) == [7]
    assert await matrix.numbers("wait:w8", 1) == [8]


async def test_a_restart_of_the_nexus_keeps_what_waits_in_order(matrix: Matrix) -> None:
    first = await matrix.nexus("n1")
    bot = await matrix.bot(first)
    await matrix.rules(first, make_rule("group_456", "w7", fallback="wait"))
    for number in range(50):
        await bot.send(message(number))
    await matrix.numbers("wait:w7", 50)
    second = await matrix.nexus("n2")
    await until(lambda: second.rules.table.rules)
    bot = await matrix.bot(second)
    assert second.pins.get("qq:10001|group:456\tw7") is not None
    await matrix.lane("w7")
    for number in range(50, 100):
        await bot.send(message(number))
    assert await matrix.numbers("w7", 100) == list(range(100))


async def test_what_is_held_too_long_is_parked_again_and_moved_on_in_order(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A roster that lags behind tells the nexus nothing: its patience ends, the mover still keeps the order."""
    monkeypatch.setattr(pins, "PATIENCE", 0)
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    await matrix.rules(nexus, make_rule("group_456", "pool:vip", fallback="wait"))
    for number in range(20):
        await bot.send(message(number))
    await matrix.numbers("wait:pool:vip", 20)
    await matrix.lane("v1", "vip")
    for number in range(20, 120):
        await bot.send(message(number))
        await asyncio.sleep(0.005)
    assert await matrix.numbers("v1", 120) == list(range(120))
    await emptied(matrix.client, KEYS.lane("wait:pool:vip"))


async def test_a_pin_whose_lane_is_deleted_is_parked_under_its_target_and_finds_its_rule(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    await matrix.lane("w7")
    bot = await matrix.bot(nexus)
    await until(lambda: len(nexus.workers.candidates) == 2)
    await matrix.rules(nexus, make_rule("group_456", "w7", fallback="wait"))
    await bot.send(message(0))
    assert await matrix.numbers("w7", 1) == [0]
    await matrix.client.call("DEL", KEYS.lane("w7"))
    await matrix.client.call("HDEL", KEYS.own, "w7")
    for number in range(1, 30):
        await bot.send(message(number))
    assert await matrix.numbers("wait:w7", 29) == list(range(1, 30))
    await matrix.lane("w7")
    assert await matrix.numbers("w7", 29) == list(range(1, 30))


async def test_each_target_gets_a_copy_of_its_own(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    await matrix.lane("v1", "vip")
    await matrix.lane("v2", "vip")
    bot = await matrix.bot(nexus)
    await until(lambda: len(nexus.workers.candidates) == 3)
    await matrix.rules(nexus, make_rule("group_456", "w1,pool:vip", deliver="all"))
    for number in range(30):
        await bot.send(message(number))
        await bot.send(message(number))
    assert await matrix.numbers("w1", 30) == list(range(30))
    await until(lambda: nexus.counters()["accepted"] == 60)
    vip = [await matrix.client.call("XLEN", KEYS.lane(lane)) for lane in ("v1", "v2")]
    assert sorted(vip) == [0, 30]
    await until(lambda: nexus.counters()["duplicate"] == 60)
    counters = nexus.counters()
    assert (counters["received"], counters["copied"], counters["waiting"]) == (60, 60, 0)
    ids = set()
    for lane in ("w1", "v1", "v2"):
        ids |= {
            decode_envelope(fields[1]).id for _, fields in await matrix.client.call("XRANGE", KEYS.lane(lane), "-", "+")
        }
    assert len(ids) == 60


@pytest.mark.parametrize(
    ("target", "fallback", "lanes", "copied", "away"),
    [
        ("w1,gone", "balance", {"w1": 1}, 0, 0),
        ("gone,lost", "balance", {"w1": 1}, 0, 0),
        ("w1,gone", "drop", {"w1": 1}, 1, 1),
        ("gone,lost", "drop", {}, 1, 2),
        ("w1,gone", "wait", {"w1": 1, "wait:gone": 1}, 1, 0),
        ("gone,lost", "wait", {"wait:gone": 1, "wait:lost": 1}, 1, 0),
    ],
)
async def test_a_copy_for_one_who_is_away(
    matrix: Matrix, target: str, fallback: str, lanes: dict[str, int], copied: int, away: int
) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    bot = await matrix.bot(nexus)
    await until(lambda: nexus.workers.candidates)
    await matrix.rules(nexus, make_rule("user_7", target, fallback=fallback, deliver="all"))
    await bot.send(said_by(7, 1))
    await bot.send(said_by(8, 2, group=1))
    await until(lambda: nexus.counters()["accepted"] == sum(lanes.values()) + 1)
    for lane in ("w1", "wait:gone", "wait:lost"):
        assert await matrix.client.call("XLEN", KEYS.lane(lane)) == lanes.get(lane, 0) + (lane == "w1")
    counters = nexus.counters()
    assert (counters["received"], counters["copied"], counters["blocked_target_away"]) == (2, copied, away)
    assert counters["received"] + counters["copied"] == counters["accepted"] + counters["blocked"]


async def test_a_copy_that_waited_goes_to_its_own_target_and_to_nobody_else(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    bot = await matrix.bot(nexus)
    await until(lambda: nexus.workers.candidates)
    await matrix.rules(nexus, make_rule("group_456", "w1,w7", fallback="wait", deliver="all"))
    for number in range(20):
        await bot.send(message(number))
    assert await matrix.numbers("w1", 20) == list(range(20))
    assert await matrix.numbers("wait:w7", 20) == list(range(20))
    await matrix.lane("w7")
    assert await matrix.numbers("w7", 20) == list(range(20))
    assert await matrix.client.call("XLEN", KEYS.lane("w1")) == 20


async def test_one_of_several_targets_gets_it_when_not_all_do(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    await matrix.lane("v1", "vip")
    bot = await matrix.bot(nexus)
    await until(lambda: len(nexus.workers.candidates) == 2)
    await matrix.rules(nexus, make_rule("*", "gone,pool:vip"))
    for group in range(1, 21):
        await bot.send(json.dumps({**json.loads(message(1, group=group))}))
    assert await matrix.numbers("v1", 20) == [1] * 20


async def test_a_nexus_that_slept_while_another_took_over_moves_nothing(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    await bot.send(message(1))
    await matrix.numbers(PARKING, 1)
    await matrix.client.call("SET", KEYS.parking_owner, "n2.another", "PX", 60_000)
    await matrix.lane("w1")
    await until(lambda: nexus.workers.candidates)
    with pytest.raises(parking.LeaseLost):
        await nexus.parking.move()
    assert await matrix.numbers(PARKING, 1) == [1]
    await matrix.client.call("DEL", KEYS.parking_owner)
    assert await matrix.numbers("w1", 1) == [1]
