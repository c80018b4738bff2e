"""Which rule decides: every row of the order, whatever the order in which rules come."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pace import slowness

from botmatrix.routing.rule import Rule, make_rule
from botmatrix.routing.table import REMEMBERED, Table, route_of, why_lost
from botmatrix.routing.wildcards import Pattern


def rule(key: str, target: str = "", *, priority: int = 0, created: float = 0.0, disabled: bool = False) -> Rule:
    name = target or "w-" + re.sub(r"\W", "x", key) + f"-{created:g}"
    return make_rule(key, name, priority=priority, created=created, disabled=disabled)


def winner(*rules: Rule, bot: str = "789", group: str = "456", user: str = "123") -> str | None:
    route = Table(rules).match(bot, group, user)
    return route and route.key


@pytest.mark.parametrize("key", ["user_123", "123", "group_456", "456", "bot_789", "789"])
def test_each_exact_form_is_found(key: str) -> None:
    assert winner(rule(key)) == key


@pytest.mark.parametrize(
    "key",
    ["*", "user_*", "user_12*", "12*", "*23", "*2*", "1*3", "group_4*", "4*", "*56", "bot_7*", "*89", "7*9", "u*3"],
)
def test_each_form_of_wildcard_is_found(key: str) -> None:
    assert winner(rule(key)) == key


@pytest.mark.parametrize(
    "key", ["user_12", "12", "user_456", "group_123", "12*4", "user_4*", "1*1*3", "*1234*", "USER_123"]
)
def test_what_does_not_fit_is_not_found(key: str) -> None:
    assert winner(rule(key)) is None


ORDER = [
    (rule("bot_789"), rule("*", priority=1000), "an exact key goes before a wildcard"),
    (rule("user_123"), rule("group_456"), "a rule for the user goes before one for the group"),
    (rule("user_123"), rule("123"), "a key with prefix goes before a bare one"),
    (rule("123"), rule("group_456"), "a rule for the user goes before one for the group"),
    (rule("group_456"), rule("bot_789"), "a rule for the group goes before one for the bot"),
    (rule("group_456"), rule("456"), "a key with prefix goes before a bare one"),
    (rule("456"), rule("bot_789"), "a rule for the group goes before one for the bot"),
    (rule("bot_789"), rule("789"), "a key with prefix goes before a bare one"),
    (rule("bot_7*", priority=5), rule("user_12*", priority=4), "its priority 4 is lower than 5"),
    (rule("user_*"), rule("group_45*"), "a rule for the user goes before one for the group"),
    (rule("4*"), rule("bot_78*"), "a rule for the group goes before one for the bot"),
    (rule("user_12*"), rule("user_1*"), "it has 6 literal characters, the other one 7"),
    (rule("12*", created=1), rule("*23", created=2), "the other one is older"),
    (rule("*23"), rule("12*"), "the other one's key sorts first"),
]


@pytest.mark.parametrize(("first", "second", "why"), ORDER)
def test_the_order_of_two_rules_and_why(first: Rule, second: Rule, why: str) -> None:
    assert winner(first, second) == winner(second, first) == first.key
    won, lost = Table([second, first]).explain("789", "456", "123")
    assert (won.rule, lost.rule) == (first, second)
    assert why_lost(lost, won) == why


def test_a_thousand_shuffles_have_the_same_order() -> None:
    keys = ["user_123", "123", "group_456", "456", "bot_789", "789", "*", "1*", "*3", "user_*", "u*3", "4*6", "bot_*"]
    rules = [rule(key, created=n % 3, priority=n % 2) for n, key in enumerate(keys)]
    rng = random.Random(7)
    orders = set()
    for _ in range(1000):
        rng.shuffle(rules)
        table = Table(rules)
        hits = tuple(hit.rule.key for hit in table.explain("789", "456", "123"))
        route = table.match("789", "456", "123")
        assert route is not None
        assert route.key == hits[0]
        orders.add(hits)
    assert len(orders) == 1
    assert len(orders.pop()) == len(keys)


def test_a_disabled_rule_decides_nothing() -> None:
    assert winner(rule("user_123", disabled=True), rule("group_456")) == "group_456"
    assert winner(rule("user_123", disabled=True)) is None


@pytest.mark.parametrize("nobody", ["", "0"])
def test_an_absent_id_matches_nothing(nobody: str) -> None:
    keys = ("user_0", "0", "group_0", "user_", "*")
    rules = [rule(key) for key in keys if key != "user_"]
    assert winner(*rules, bot="", group=nobody, user=nobody) is None


def test_a_bot_in_a_group_that_has_the_id_of_a_user_is_found_as_the_user_first() -> None:
    (hit,) = Table([rule("5")]).explain("5", "5", "5")
    assert hit.subject == "user"


def test_what_a_rule_says_is_read_once_for_all() -> None:
    assert route_of(make_rule("a", "block")).blocked
    assert route_of(make_rule("a", "pool:vip, w1")).targets == ("pool:vip", "w1")
    assert route_of(make_rule("a", "pool:default")).mark == ""
    assert route_of(make_rule("a", "w1")).mark != route_of(make_rule("a", "w2")).mark != ""


@pytest.mark.parametrize(
    ("target", "fallback", "parking"),
    [
        ("w1", "wait", "wait:w1"),
        ("w1,pool:vip", "wait", "wait:w1,pool:vip"),
        ("w1", "balance", "away:w1"),
        ("w1", "drop", "away:w1"),
        ("pool:default", "wait", ""),
    ],
)
def test_each_target_has_a_parking_place_of_its_own(target: str, fallback: str, parking: str) -> None:
    assert route_of(make_rule("a", target, fallback=fallback)).parking == parking


def test_copies_go_their_own_ways() -> None:
    route = route_of(make_rule("a", "w1,pool:vip", deliver="all"))
    assert [(copy.targets, copy.mark, copy.fallback) for copy in route.copies] == [
        (("w1",), "\tw1", "drop"),
        (("pool:vip",), "\tpool:vip", "drop"),
    ]
    assert route.to("w1") is route.copies[0]
    assert route.to("w2") is route
    assert not route_of(make_rule("a", "w1", deliver="all")).copies
    waiting = route_of(make_rule("a", "w1,w2", deliver="all", fallback="wait"))
    assert [copy.parking for copy in waiting.copies] == ["wait:w1", "wait:w2"]


def test_the_memory_of_the_table_is_bounded() -> None:
    table = Table([rule("user_*")])
    for user in range(1, REMEMBERED + 10):
        assert table.match("1", "2", str(user)) is not None
    assert len(table._known) <= REMEMBERED


LETTERS = st.text("ab_*.", min_size=1, max_size=12)


@given(LETTERS, st.text("ab_.", max_size=12))
def test_a_pattern_matches_what_the_textbook_says(key: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, key.split("*"))), text, re.DOTALL) is not None
    if "*" in key:
        assert Pattern(rule(key, "w")).matches(text) == expected


@given(st.lists(LETTERS, unique=True, max_size=20), st.text("ab_.", min_size=1, max_size=8))
def test_the_table_finds_what_trying_every_rule_finds(keys: list[str], user: str) -> None:
    rules = [rule(key, "w") for key in keys]
    found = {hit.rule.key for hit in Table(rules).explain("", "", user)}
    texts = (f"user_{user}", user)
    tried = {one.key for one in rules if any(Pattern(one).matches(text) for text in texts if one.is_wildcard)}
    assert found == tried | {one.key for one in rules if one.key in texts}


def hostile() -> list[str]:
    """200 patterns that are slow where matching goes back."""
    shapes = ["*a" * 40, "*" * 150, "a*" * 79 + "b", "*" + "a" * 100 + "*b", "(a+)+$*", ".*.*.*=*", "[a-*", "*a?" * 30]
    return [
        f"{shape[: 140 - number % 7]}*{'ab'[number % 2] * (number % 11)}" for number in range(25) for shape in shapes
    ]


def test_two_hundred_hostile_patterns_cost_next_to_nothing() -> None:
    patterns = [Pattern(rule(key, "w", created=n)) for n, key in enumerate(hostile())]
    assert len(patterns) == 200
    for text in ("a" * 128, "ab" * 64, "*" * 128):
        started = time.process_time()
        for pattern in patterns:
            pattern.matches(text)
        assert time.process_time() - started < 0.2 * slowness()
