"""Who of several bots answers."""

from __future__ import annotations

import pytest

from botmatrix.routing.groups import (
    BadGroupPolicies,
    GroupPolicies,
    GroupPolicy,
    Policy,
    parse,
    responsible,
    with_policy,
)


def test_the_first_of_the_list_that_is_there_answers() -> None:
    policy = GroupPolicy(policy=Policy.ONE, bots=["qq:2", "qq:1"])
    assert responsible(policy, ["qq:9"], {"qq:1", "qq:2", "qq:9"}.__contains__) == "qq:2"
    assert responsible(policy, ["qq:9"], {"qq:1", "qq:9"}.__contains__) == "qq:1"
    assert responsible(policy, ["qq:9"], {"qq:9"}.__contains__) == ""


def test_without_a_list_those_that_were_heard_have_their_turn_by_key() -> None:
    policy = GroupPolicy(policy=Policy.MENTIONED)
    assert responsible(policy, ["qq:3", "qq:2"], lambda _bot: True) == "qq:2"
    assert responsible(policy, [], lambda _bot: True) == ""


def test_a_document_is_read_as_it_was_written() -> None:
    document = with_policy(GroupPolicies(), "qq:1", GroupPolicy(policy=Policy.ONE, bots=["qq:2"], since=5))
    assert parse(document.to_json()) == document
    assert with_policy(document, "qq:1", None) == GroupPolicies()


@pytest.mark.parametrize(
    "text",
    [b"{", b"[]", b'{"groups": {"qq": {"policy": "one"}}}', b'{"groups": {"qq:1": {"policy": "some"}}}', b"\xff"],
)
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(BadGroupPolicies):
        parse(text)


def test_there_is_an_end_to_the_number_of_groups() -> None:
    many = GroupPolicies(groups={f"qq:{n}": GroupPolicy(policy=Policy.ONE) for n in range(10_000)})
    with pytest.raises(BadGroupPolicies):
        with_policy(many, "qq:x", GroupPolicy(policy=Policy.ONE))


def test_case_counts_for_nothing_in_the_names_of_platforms() -> None:
    document = parse(b'{"groups": {"QQ:1": {"policy": "one", "bots": ["Qq:2", "Web:Ab:C"]}}}')
    assert document.groups["qq:1"].bots == ["qq:2", "web:Ab:C"]
