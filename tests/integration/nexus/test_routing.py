"""Routing rules in whole nexuses on real engines: when they act, and what each target and fallback does."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.integration.nexus.scene import KEYS, Scene, emptied, message, number_of

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.lanes import Lane, Lanes
from botmatrix.bus.rules import RulesMirror
from botmatrix.control.rules import RuleBook
from botmatrix.nexus.app import Nexus
from botmatrix.routing.rule import Rule, make_rule, mirrored
from botmatrix.store.engine import Database
from botmatrix.store.operations import Operations
from botmatrix.store.rules import StoredRules


class Matrix(Scene):
    """A scene with workers of several names, and rules."""

    async def lane(self, name: str, pool: str = "default") -> Lane:
        """A lane whose own worker lives and takes events."""
        lanes = Lanes(self.url, KEYS, f"{name}.bbbbbbbb")
        self.stack.push_async_callback(lanes.close)
        lane = await lanes.join(name)
        assert lane is not None
        await self.client.call("SET", KEYS.lease(f"{name}.bbbbbbbb"), "1")
        await self.client.call("HSET", KEYS.presence(name), "transport", "stream", "pool", pool)
        await self.client.call("PUBLISH", KEYS.presence_changed, name)
        return lane

    async def rules(self, nexus: Nexus, *rules: Rule) -> None:
        """Put rules into Redis, as control does, and wait until they act."""
        await RulesMirror(self.client, KEYS).write(rules, ())
        await until(lambda: all(rule.key in nexus.rules.table.rules for rule in rules))

    async def numbers(self, lane: str, count: int) -> list[int]:
        """The numbers of the messages on a lane, as soon as there are so many."""
        async with asyncio.timeout(10):
            while len(found := await self.client.call("XRANGE", KEYS.lane(lane), "-", "+")) < count:
                await asyncio.sleep(0.01)
        return [number_of(decode_envelope(fields[1])) for _, fields in found]


@pytest.fixture
async def matrix(redis_url: str, home: Path) -> AsyncIterator[Matrix]:
    async with AsyncExitStack() as stack:
        matrix = Matrix(redis_url, home, stack)
        stack.push_async_callback(matrix.client.close)
        stack.push_async_callback(matrix.lanes.close)
        yield matrix


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, part="tests")
    yield database
    await database.close()


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


def follows(nexus: Nexus) -> bool:
    """Whether some rule decides about group 456."""
    return nexus.rules.table.match("1", "456", "2") is not None


def said_by(user: int, number: int, group: int = 456) -> str:
    return json.dumps({**json.loads(message(number, group)), "user_id": user})


async def test_a_saved_rule_acts_in_two_nexuses_within_a_second(matrix: Matrix, database: Database) -> None:
    first, second = await matrix.nexus("n1"), await matrix.nexus("n2")
    book = RuleBook(StoredRules(database), RulesMirror(matrix.client, KEYS), Operations(database))
    await book.save([make_rule("group_456", "w7")])
    await until(lambda: follows(first) and follows(second), 1.0)
    await book.delete("group_456")
    await until(lambda: not follows(first) and not follows(second), 1.0)


async def test_a_rule_whose_signal_is_lost_acts_within_ten_seconds(matrix: Matrix, database: Database) -> None:
    first, second = await matrix.nexus("n1"), await matrix.nexus("n2")
    silent = Keys()
    silent.rules_changed = "botmatrix:nobody-listens"
    book = RuleBook(StoredRules(database), RulesMirror(matrix.client, silent), Operations(database))
    await book.save([make_rule("group_456", "w7")])
    await until(lambda: follows(first) and follows(second), 10.0)


async def test_the_rule_of_a_user_does_not_drag_the_group_along(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    await matrix.lane("v1", "vip")
    bot = await matrix.bot(nexus)
    await until(lambda: len(nexus.workers.candidates) == 2)
    await matrix.rules(nexus, make_rule("user_7", "pool:vip"))
    for number in range(0, 60, 2):
        await bot.send(said_by(7, number))
        await bot.send(said_by(8, number + 1))
    assert await matrix.numbers("v1", 30) == list(range(0, 60, 2))
    assert await matrix.numbers("w1", 30) == list(range(1, 60, 2))


async def test_a_pool_of_its_own_gets_nothing_without_a_rule(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("v1", "vip")
    bot = await matrix.bot(nexus)
    await until(lambda: nexus.workers.candidates)
    await bot.send(message(1))
    assert await matrix.numbers(PARKING, 1) == [1]
    await matrix.lane("w1")
    assert await matrix.numbers("w1", 1) == [1]


async def test_what_is_blocked_or_dropped_is_counted_and_goes_nowhere(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    bot = await matrix.bot(nexus)
    await until(lambda: nexus.workers.candidates)
    await matrix.rules(nexus, make_rule("user_7", "block"), make_rule("user_8", "gone", fallback="drop"))
    for user in (7, 8, 9):
        await bot.send(said_by(user, user))
    assert await matrix.numbers("w1", 1) == [9]
    counters = nexus.counters()
    assert (counters["received"], counters["blocked"]) == (3, 2)
    assert (counters["blocked_rule"], counters["blocked_target_away"]) == (1, 1)
    assert (counters["accepted"], counters["waiting"]) == (1, 0)


async def test_balance_takes_the_default_pool_while_the_target_is_away(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.lane("w1")
    bot = await matrix.bot(nexus)
    await until(lambda: nexus.workers.candidates)
    await matrix.rules(nexus, make_rule("group_456", "w7"))
    await bot.send(message(1))
    assert await matrix.numbers("w1", 1) == [1]


async def test_what_was_parked_and_is_forbidden_since_is_a_dead_letter(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    for user in (7, 8, 9):
        await bot.send(said_by(user, user))
    await matrix.numbers(PARKING, 3)
    await matrix.rules(nexus, make_rule("user_7", "block"), make_rule("user_8", "w7", fallback="drop"))
    await matrix.lane("w1")
    assert await matrix.numbers("w1", 1) == [9]
    await emptied(matrix.client, KEYS.lane(PARKING))
    letters = await matrix.client.call("XRANGE", KEYS.dead, "-", "+")
    assert [found[3] for _, found in letters] == [b"blocked_rule", b"dropped_rule"]
    assert await matrix.client.call("HGET", KEYS.stats, "dead") == b"2"


async def test_those_for_whom_nobody_is_there_hold_nobody_up(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    await matrix.rules(nexus, make_rule("user_7", "pool:vip"))
    for number in range(0, 600, 2):
        await bot.send(said_by(8, number))
        await bot.send(said_by(7, number + 1))
    await matrix.numbers(PARKING, 300)
    await matrix.numbers("away:pool:vip", 300)
    await matrix.lane("v1", "vip")
    assert await matrix.numbers("v1", 300) == list(range(1, 600, 2))
    assert await matrix.numbers(PARKING, 300) == list(range(0, 600, 2))
    await matrix.lane("w1")
    assert await matrix.numbers("w1", 300) == list(range(0, 600, 2))


async def test_a_start_without_redis_follows_the_last_rules(matrix: Matrix) -> None:
    nexus = await matrix.nexus("n1")
    await matrix.rules(nexus, make_rule("user_7", "block"))
    copy = matrix.home / "rules.json"
    await until(copy.exists)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    away = Matrix("redis://127.0.0.1:1/0", matrix.home, matrix.stack)
    later = await away.nexus("n2")
    route = later.rules.table.match("1", "2", "7")
    assert route is not None
    assert route.blocked


async def test_a_start_with_a_redis_that_lost_the_rules_follows_the_last_ones(matrix: Matrix) -> None:
    nexus = await matrix.nexus("n1")
    await matrix.rules(nexus, make_rule("user_7", "block"))
    await until((matrix.home / "rules.json").exists)
    await matrix.client.call("DEL", KEYS.rules, KEYS.rules_version)
    later = await matrix.nexus("n2")
    bot = await matrix.bot(later)
    await bot.send(said_by(7, 1))
    await until(lambda: later.counters()["blocked_rule"] == 1)


async def test_a_redis_that_lost_the_rules_changes_nothing_and_no_rules_are_no_rules(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.rules(nexus, make_rule("user_7", "block"))
    await matrix.client.call("DEL", KEYS.rules, KEYS.rules_version)
    await nexus.rules.look()
    assert nexus.rules.table.match("1", "2", "7") is not None
    await matrix.client.call("SET", KEYS.rules_version, 9)
    await nexus.rules.look()
    assert nexus.rules.table.match("1", "2", "7") is None


async def test_what_is_missing_in_the_mirror_is_followed_on_and_what_was_deleted_is_not(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    await matrix.rules(nexus, make_rule("user_7", "block"), make_rule("user_8", "block"))
    await matrix.client.call("HDEL", KEYS.rules, "user_7")
    await nexus.rules.look()
    assert nexus.rules.table.match("1", "2", "7") is not None
    await RulesMirror(matrix.client, KEYS).write((), ["user_8"])
    await until(lambda: nexus.rules.table.match("1", "2", "8") is None)


async def test_a_field_that_is_no_rule_is_counted_and_spoils_nothing(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    good = mirrored(make_rule("user_7", "w1"))
    await matrix.client.call("HSET", KEYS.rules, "user_7", good, "user_8", "{", "user_9", "w 9", "\xff", "w1")
    await matrix.client.call("SET", KEYS.rules_version, "not a number")
    await nexus.rules.look()
    assert set(nexus.rules.table.rules) == {"user_7", "\xff"}
    assert nexus.counters()["rules_unreadable"] == 2


async def test_a_field_that_is_nested_too_deep_ends_no_nexus(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    deep = b'{"target": "w2", "note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    await matrix.client.call("HSET", KEYS.rules, "user_7", "w1", "user_8", deep)
    await nexus.rules.look()
    assert set(nexus.rules.table.rules) == {"user_7"}


@pytest.fixture
def book(matrix: Matrix, database: Database) -> RuleBook:
    return RuleBook(StoredRules(database), RulesMirror(matrix.client, KEYS), Operations(database))


async def test_what_is_written_by_hand_is_imported_and_what_is_missing_comes_back(
    book: RuleBook, matrix: Matrix, database: Database
) -> None:
    await book.save([make_rule("user_1", "w1", created=5.0), make_rule("user_2", "w2")])
    await matrix.client.call("HSET", KEYS.rules, "user_1", "w9", "user_3", '{"target": "w3", "fallback": "drop"}')
    await matrix.client.call("HDEL", KEYS.rules, "user_2")
    await book.sync()
    rules = await book.all()
    assert [(rule.key, rule.target) for rule in rules.values()] == [
        ("user_1", "w9"),
        ("user_2", "w2"),
        ("user_3", "w3"),
    ]
    assert rules["user_1"].created == 5.0
    noted = (await Operations(database).list(sort="object"))[0]
    assert [(one.what, one.object, one.before, one.after) for one in noted] == [
        ("route.set", "user_1", {"key": "user_1", "target": "w1"}, {"key": "user_1", "target": "w9"}),
        ("route.set", "user_3", None, {"key": "user_3", "target": "w3", "fallback": "drop"}),
    ]
    mirror = await RulesMirror(matrix.client, KEYS).read()
    assert {key: rule.says for key, rule in mirror.rules.items()} == {key: rule.says for key, rule in rules.items()}
    await book.sync()
    assert (await RulesMirror(matrix.client, KEYS).state()) == mirror.state


async def test_what_no_table_can_hold_is_not_imported_and_everything_else_is(book: RuleBook, matrix: Matrix) -> None:
    in_ms = '{"target": "w2", "created": 1766500000000}'
    await matrix.client.call("HSET", KEYS.rules, "user_1", "w1", "user_2", in_ms)
    await book.sync()
    assert list(await book.all()) == ["user_1"]


async def test_a_redis_that_went_back_in_time_revives_no_deleted_rule(book: RuleBook, matrix: Matrix) -> None:
    await book.save([make_rule("user_1", "w1")])
    old = await matrix.client.call("HGETALL", KEYS.rules)
    await book.save([make_rule("user_2", "w2")])
    await book.delete("user_1")
    await matrix.client.call("DEL", KEYS.rules)
    await matrix.client.call("HSET", KEYS.rules, *old)
    await matrix.client.call("SET", KEYS.rules_version, 1)
    await book.sync()
    assert list(await book.all()) == ["user_2"]
    assert list((await RulesMirror(matrix.client, KEYS).read()).rules) == ["user_2"]


async def test_a_change_that_redis_did_not_take_is_undone(database: Database) -> None:
    mirror = RulesMirror(Client("redis://127.0.0.1:1/0", name="away"), KEYS)
    away = RuleBook(StoredRules(database), mirror, Operations(database))
    with pytest.raises(Exception, match="can't be reached"):
        await away.save([make_rule("user_1", "w1")])
    assert await away.all() == {}
