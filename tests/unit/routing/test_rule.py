"""Rules as people write them: what is accepted, what is refused and why."""

from __future__ import annotations

import pytest

from botmatrix.routing.rule import BadRule, Fallback, make_rule, mirrored, rule_of


@pytest.mark.parametrize(
    "key", ["user_123", "group_456", "bot_789", "123", "*_test", "123*", "*mid*", "a*b", "*", "a.b+c["]
)
@pytest.mark.parametrize("target", ["worker-1", "pool:vip", "block"])
def test_every_form_of_key_and_target_is_accepted(key: str, target: str) -> None:
    rule = make_rule(key, target)
    assert (rule.key, rule.target, rule.fallback) == (key, target, Fallback.BALANCE)


@pytest.mark.parametrize(
    ("key", "target", "fallback", "priority", "field"),
    [
        ("", "w1", "balance", 0, "key"),
        ("x" * 161, "w1", "balance", 0, "key"),
        ("a\tb", "w1", "balance", 0, "key"),
        ("a\0", "w1", "balance", 0, "key"),
        (" a", "w1", "balance", 0, "key"),
        ("user_", "w1", "balance", 0, "key"),
        ("a", "", "balance", 0, "target"),
        ("a", "pool:", "balance", 0, "target"),
        ("a", "no spaces", "balance", 0, "target"),
        ("a", "default", "balance", 0, "target"),
        ("a", "w1,", "balance", 0, "target"),
        ("a", "w1,w1", "balance", 0, "target"),
        ("a", "w1,block", "balance", 0, "target"),
        ("a", ",".join(f"w{n}" for n in range(9)), "balance", 0, "target"),
        ("a", "w1", "retry", 0, "fallback"),
        ("a", "w1", "balance", 1_000_001, "priority"),
    ],
)
def test_what_can_not_be_is_refused_with_its_field(
    key: str, target: str, fallback: str, priority: int, field: str
) -> None:
    with pytest.raises(BadRule) as raised:
        make_rule(key, target, fallback=fallback, priority=priority)
    assert raised.value.field == field


def test_a_rule_survives_the_mirror() -> None:
    rule = make_rule("*_测试", "pool:vip", priority=-3, fallback="wait", deliver="all", disabled=True, created=5.5)
    assert rule_of(rule.key, mirrored(rule)) == rule


def test_several_targets_stand_with_commas_between() -> None:
    assert make_rule("a", "w1, pool:vip,w2").targets == ("w1", "pool:vip", "w2")
    with pytest.raises(BadRule, match="deliver: must be one of one, all"):
        make_rule("a", "w1", deliver="some")


@pytest.mark.parametrize("value", [b"w7", b" w7\n", b'{"target": "w7"}', b'{"worker_id": "w7", "created": 0}'])
def test_a_value_written_by_hand_is_understood(value: bytes) -> None:
    assert rule_of("group_1", value, 9.0) == make_rule("group_1", "w7", created=9.0)


@pytest.mark.parametrize("value", [b"", b"{", b'{"target": 5}', b'{"target": "w1", "fallback": "x"}', b"\xff", b"{}"])
def test_a_value_that_is_no_rule_is_refused(value: bytes) -> None:
    with pytest.raises(BadRule):
        rule_of("group_1", value)


def test_a_value_that_is_nested_too_deep_is_refused_like_any_other() -> None:
    with pytest.raises(BadRule, match="nested too deep"):
        rule_of("group_1", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize("created", [-1, 1_766_500_000_000, 1e300])
def test_an_age_that_is_no_moment_in_seconds_is_refused(created: float) -> None:
    with pytest.raises(BadRule, match="created: must be unix seconds"):
        rule_of("group_1", f'{{"target": "w1", "created": {created}}}'.encode())
