"""Explanations say the verdict, the winner, the losers and the candidates."""

from __future__ import annotations

import pytest

from botmatrix.routing.balance import Load
from botmatrix.routing.explain import Explanation, Whose, explain
from botmatrix.routing.place import Pools
from botmatrix.routing.rule import Rule, make_rule

POOLS = Pools([("w1", "default"), ("w2", "default"), ("v1", "vip")])


def ask(*rules: Rule, pools: Pools = POOLS, applications: tuple[str, ...] = ()) -> Explanation:
    loads = {lane: Load(0.0, ewma) for lane, ewma in (("w1", 0.5), ("w2", 0.1), ("v1", 0.9))}
    return explain(rules, Whose("789", "456", "123", applications), pools, loads)


def test_without_rules_the_default_pool_is_balanced_best_first() -> None:
    found = ask()
    (way,) = found.ways
    assert (found.verdict, [one.lane for one in way.candidates], found.winner) == ("lane", ["w2", "w1"], None)


@pytest.mark.parametrize(
    ("target", "fallback", "verdict", "lanes", "fell_back"),
    [
        ("v1", "balance", "lane", ["v1"], False),
        ("pool:vip", "drop", "lane", ["v1"], False),
        ("gone", "balance", "lane", ["w2", "w1"], True),
        ("gone", "drop", "dropped", [], True),
        ("pool:gone", "drop", "dropped", [], True),
        ("gone", "wait", "parked", [], True),
        ("gone,v1", "wait", "lane", ["v1"], False),
        ("w1,pool:vip", "balance", "lane", ["w1", "v1"], False),
        ("pool:gone,gone", "balance", "lane", ["w2", "w1"], True),
    ],
)
def test_each_target_and_fallback(target: str, fallback: str, verdict: str, lanes: list[str], fell_back: bool) -> None:
    found = ask(make_rule("user_123", target, fallback=fallback))
    (way,) = found.ways
    assert (found.verdict, way.verdict, way.fell_back) == (verdict, verdict, fell_back)
    assert [one.lane for one in way.candidates] == lanes


def test_a_blocking_rule_has_no_way() -> None:
    found = ask(make_rule("user_123", "block"))
    assert (found.verdict, found.ways, found.why) == ("blocked", [], "the rule user_123 blocks it")


@pytest.mark.parametrize(
    ("target", "fallback", "verdict", "ways"),
    [
        ("w1,v1", "balance", "lane", [("w1", "lane"), ("v1", "lane")]),
        ("w1,gone", "balance", "lane", [("w1", "lane"), ("gone", "dropped")]),
        ("gone,lost", "balance", "lane", [("gone,lost", "lane")]),
        ("w1,gone", "drop", "lane", [("w1", "lane"), ("gone", "dropped")]),
        ("gone,lost", "drop", "dropped", [("gone", "dropped"), ("lost", "dropped")]),
        ("w1,gone", "wait", "lane", [("w1", "lane"), ("gone", "parked")]),
        ("gone,lost", "wait", "parked", [("gone", "parked"), ("lost", "parked")]),
    ],
)
def test_copies_are_explained_one_by_one(target: str, fallback: str, verdict: str, ways: list[tuple[str, str]]) -> None:
    found = ask(make_rule("user_123", target, fallback=fallback, deliver="all"))
    assert found.verdict == verdict
    assert [(way.target, way.verdict) for way in found.ways] == ways


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
    assert (found.verdict, found.ways[0].candidates) == ("parked", [])


def test_an_attached_application_stands_below_every_written_rule() -> None:
    found = ask(applications=("v1",))
    assert (found.winner, found.ways[0].target, found.ways[0].candidates[0].lane) == (None, "v1", "v1")
    assert "applications attached to the bot" in found.why
    assert ask(make_rule("*", "w1"), applications=("v1",)).ways[0].target == "w1"
