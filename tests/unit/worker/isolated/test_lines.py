"""The protocol without I/O."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.worker.plugins.isolated.lines import Action, Answer, BadLine, Hello, Splitter, message, read


def answered(**found: Any) -> Answer:
    said = read(json.dumps({"id": "e", "ok": True, **found}).encode())
    assert isinstance(said, Answer)
    return said


def test_a_message_is_one_line_of_json() -> None:
    line = message("event", "e1", "on_message", {"text": "a\nb"}, "c1")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        **{"id": "e1", "type": "event", "name": "on_message", "correlation_id": "c1"},
        "payload": {"text": "a\nb"},
    }
    with pytest.raises(BadLine, match="too_long"):
        message("event", "e1", "on_message", {"text": "x" * (1 << 20)})


def test_actions_may_carry_their_parameters_in_the_payload_or_beside_it() -> None:
    expected = Action("storage.get", "1", "", "", "c", {"key": "k"})
    beside = {"type": "storage.get", "target": 1, "target_id": None, "key": "k", "correlation_id": "c"}
    inside = {"type": "storage.get", "target": "1", "payload": {"key": "k", "correlation_id": "c"}}
    assert answered(actions=[beside]).actions == [expected]
    assert answered(actions=[inside]).actions == [expected]


def test_no_actions_may_be_null_and_further_answers_are_announced() -> None:
    assert answered(actions=None) == Answer("e", True, [], "", False)
    assert answered(ok=False, error="why", more=True) == Answer("e", False, [], "why", True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no_json"),
        ('{"id": 1, "ok": true}', "no_answer"),
        ('{"id": "e"}', "no_answer"),
        ('{"id": "e", "ok": 1}', "no_answer"),
        ('{"id": "e", "ok": true, "actions": {}}', "no_answer"),
        ('{"id": "e", "ok": true, "actions": [1]}', "no_action"),
        ('{"id": "e", "ok": true, "actions": [{"type": ""}]}', "no_action"),
        ('{"id": "e", "ok": true, "actions": [{"type": "a", "text": {}}]}', "no_action"),
        ('{"id": "e", "ok": true, "actions": [{"type": "a", "payload": []}]}', "no_action"),
        ('{"type": "hello"}', "no_hello"),
        ('{"a":' * 5000, "no_json"),
    ],
)
def test_what_is_no_answer_is_refused_with_a_reason(line: str, reason: str) -> None:
    with pytest.raises(BadLine, match=reason):
        read(line.encode())


def test_a_hello_is_read() -> None:
    told = {"type": "hello", "id": "i", "name": "n", "version": "1", "description": "", "events": ["*"]}
    assert read(json.dumps(told).encode()) == Hello("i", "n", "1", "", ["*"])


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(line: bytes) -> None:
    try:
        read(b"{" + line)
    except BadLine:
        return


@given(st.lists(st.binary(max_size=30)), st.integers(1, 12))
def test_lines_are_the_same_however_they_are_cut(parts: list[bytes], size: int) -> None:
    whole = b"".join(parts)
    expected = [line.strip() if len(line) <= 10 else b"" for line in whole.split(b"\n")[:-1]]
    splitter = Splitter(longest=10)
    chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert [line for chunk in chunks for line in splitter.feed(chunk)] == expected


def test_a_line_that_is_too_long_is_thrown_away_up_to_its_end() -> None:
    splitter = Splitter(longest=4)
    assert list(splitter.feed(b"abcd\nabc")) == [b"abcd"]
    assert list(splitter.feed(b"de" * 100)) == []
    assert list(splitter.feed(b"\nok\n")) == [b"", b"ok"]
    assert splitter.too_long == 1
