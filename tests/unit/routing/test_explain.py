"""Explanations say the verdict, the winner, the losers and the candidates."""

from __future__ import annotations

import pytest

from botmatrix.routing.balance import Load
from botmatrix.routing.explain import Explanation, explain
from botmatrix.routing.place import Pools
from botmatrix.routing.rule import Rule, make_rule

POOLS = Pools([("w1", "default"), ("w2", "default"), ("v1", "vip")])


def ask(*rules: Rule, pools: Pools = POOLS) -> Explanation:
    loads = {lane: Load(0.0, ewma) for lane, ewma in (("w1", 0.5), ("w2", 0.1), ("v1", 0.9))}
    return explain(rules, "789", "456", "123", pools, loads)


def test_without_rules_the_default_pool_is_balanced_best_first() -> None:
    found = ask()
    assert (found.verdict, [one.lane for one in found.candidates], found.winner) == ("lane", ["w2", "w1"], None)


@pytest.mark.parametrize(
    ("target", "fallback", "verdict", "lanes", "fell_back"),
    [
        ("v1", "balance", "lane", ["v1"], False),
        ("pool:vip", "drop", "lane", ["v1"], False),
        ("gone", "balance", "lane", ["w2", "w1"], True),
        ("gone", "drop", "dropped", [], True),
        ("pool:gone", "drop", "dropped", [], True),
        ("block", "balance", "blocked", [], False),
    ],
)
def test_each_target_and_fallback(target: str, fallback: str, verdict: str, lanes: list[str], fell_back: bool) -> None:
    found = ask(make_rule("user_123", target, fallback=fallback))
    assert (found.verdict, found.fell_back) == (verdict, fell_back)
    assert [one.lane for one in found.candidates] == lanes


def test_losers_come_in_order_and_disabled_ones_last() -> None:
    found = ask(
        make_rule("*", "w1"),
        make_rule("group_456", "w2"),
        make_rule("user_123", "w1", disabled=True),
        make_rule("bot_789", "w1"),
    )
    assert found.winner is not None
    assert found.winner.rule.key == "group_456"
    assert [(lost.hit.rule.key, lost.why) for lost in found.lost] == [
        ("bot_789", "a rule for the group goes before one for the bot"),
        ("*", "an exact key goes before a wildcard"),
        ("user_123", "it is disabled"),
    ]


def test_nobody_there_means_parked() -> None:
    found = ask(pools=Pools())
    assert (found.verdict, found.candidates) == ("parked", [])
