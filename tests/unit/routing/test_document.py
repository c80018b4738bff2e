"""Rules and cases as YAML."""

from __future__ import annotations

import pytest

from botmatrix.routing.document import dump_rules, in_order, load_cases, load_rules, run_cases
from botmatrix.routing.rule import BadRule, make_rule

RULES = """
rules:
  - {key: user_123, target: w1}
  - {key: "77*", target: "pool:vip", priority: 2, fallback: drop}
  - {key: "*7", target: w3, priority: 2}
  - {key: group_9, target: block, disabled: true}
"""


def test_rules_survive_export_and_import() -> None:
    rules = load_rules(RULES)
    assert load_rules(dump_rules(in_order(rules))) == rules


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: 5", "expected a list"),
        ("rules: [", "YAML"),
        ("- {key: a}", "rule 1: has no target"),
        ("- {key: 123, target: w1}", "put quotes around it"),
        ("- {key: a, target: w1, priority: true}", "priority is no whole number"),
        ("- {key: a, target: w1, deliver: some}", "must be one of one, all"),
        ("- {key: a, target: w1, delivery: all}", "'delivery' is none of"),
        ("- {key: a, target: w1}\n- {key: a, target: w2}", "rule 2: the key a is there twice"),
        ("- {key: a, target: w 1}", r"rule 1 \(a\): target"),
        ("- a", "rule 1"),
        ("!!python/object/apply:os.getcwd []", "YAML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(BadRule, match=words):
        load_rules(text)


def test_cases_pass_and_fail_in_words() -> None:
    cases = load_cases("""
cases:
  - {name: the user, user: 123, group: 9, target: w1, rule: user_123}
  - {name: the older wildcard, user: 777, target: "pool:vip"}
  - {name: disabled, group: 9, target: null}
  - {name: wrong target, user: 123, target: w2}
  - {name: wrong rule, user: 5, rule: "77*"}
""")
    assert [outcome.problem for outcome in run_cases(load_rules(RULES), cases)] == [
        "",
        "",
        "",
        "should go to w2, but the rule user_123 sends it to w1",
        "77* should decide, but no rule matches",
    ]


@pytest.mark.parametrize(
    "text", ["- {user: 1}", "- {user: 1.5, target: w1}", "- {user: true, target: w1}", "cases: {}"]
)
def test_a_case_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadRule):
        load_cases(text)


def test_rules_of_a_file_are_as_old_as_their_place() -> None:
    first, second = in_order([make_rule("b", "w1"), make_rule("a", "w1")], 100.0)
    assert 100.0 <= first.created < second.created < 101.0


@pytest.mark.parametrize("text", ["rules: [{key: 2026-99-99, target: w1}]", "[" * 3000 + "]" * 3000, "- " * 3000 + "x"])
def test_what_yaml_itself_chokes_on_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadRule, match="YAML"):
        load_rules(text)
