"""What a configuration may say, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.core.config import BadCoreConfig, CoreConfig, changed, parse

NOTHING = CoreConfig()


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"systemcontrol": {}}, "systemcontrol"),
        ({"system_control": {"open": "no"}}, "system_control.open"),
        ({"permissions": {"blacklist": {"system": ["a b"]}}}, "permissions.blacklist.system.0"),
        ({"permissions": {"blacklist": {"system": [7]}}}, "permissions.blacklist.system.0"),
        ({"sensitive_words": {"system": {"plain": [""]}}}, "sensitive_words.system.plain.0"),
        ({"sensitive_words": {"system": {"plain": ["\u200b"]}}}, "no visible character"),
        ({"sensitive_words": {"system": {"regex": ["(?=x)"]}}}, "lookaround"),
        ({"sensitive_words": {"group": {"4": {"regex": [r"(a)\1"]}}}}, "sensitive_words.group.4.regex.0"),
        ({"sensitive_words": {"system": {"regex": ["x*"]}}}, "matches the empty text"),
        ({"url_filter": {"blacklist": {"exact": ["evil.com"]}}}, "must begin with http"),
        ({"url_filter": {"blacklist": {"domain_suffix": ["a/b"]}}}, "must be a domain"),
        ({"url_filter": {"whitelist": {"regex": ["("]}}}, "url_filter.whitelist.regex.0"),
    ],
)
def test_what_is_wrong_is_named(patch: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCoreConfig) as refused:
        changed(NOTHING, patch)
    assert words in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(BadCoreConfig, match=r"regex\.0: .*regex\.1: "):
        changed(NOTHING, {"sensitive_words": {"system": {"regex": ["(", ")"]}}})


def test_a_change_touches_only_what_it_names() -> None:
    before = changed(NOTHING, {"permissions": {"blacklist": {"system": ["1", "2"]}}})
    after = changed(before, {"system_control": {"open": False}, "permissions": {"blacklist": {"group": ["3"]}}})
    assert after.permissions.blacklist.system == ["1", "2"]
    assert (after.permissions.blacklist.group, after.system_control.open) == (["3"], False)
    assert changed(after, {"permissions": {"blacklist": {"system": []}}}).permissions.blacklist.system == []


def test_an_entry_of_a_collection_can_go() -> None:
    before = changed(NOTHING, {"sensitive_words": {"group": {"1": {"plain": ["a"]}, "2": {"plain": ["b"]}}}})
    after = changed(before, {"sensitive_words": {"group": {"2": {"plain": ["c"]}}}})
    assert {group: level.plain for group, level in after.sensitive_words.group.items()} == {"2": ["c"]}


@pytest.mark.parametrize("document", ["", "[]", "null", "{", '{"enabled":1}'])
def test_a_document_that_is_none_is_refused(document: str) -> None:
    with pytest.raises(BadCoreConfig):
        parse(document)


@given(st.lists(st.from_regex(r"\A[!-~]{1,20}\Z"), max_size=5), st.booleans(), st.lists(st.from_regex(r"\A\w{1,9}\Z")))
def test_a_document_is_read_as_it_was_written(ids: list[str], open_: bool, words: list[str]) -> None:
    lists, control = {"blacklist": {"system": ids}}, {"open": open_}
    patch = {"permissions": lists, "system_control": control, "sensitive_words": {"system": {"plain": words}}}
    config = changed(NOTHING, patch)
    assert parse(config.to_json()) == config


def test_a_document_past_its_size_is_refused() -> None:
    with pytest.raises(BadCoreConfig, match="1 MiB"):
        changed(NOTHING, {"permissions": {"blacklist": {"system": [f"{n}{'x' * 100}" for n in range(12_000)]}}})
