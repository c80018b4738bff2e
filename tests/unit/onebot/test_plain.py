"""A message as one line of a history."""

from __future__ import annotations

from typing import Any

import pytest

from botmatrix.onebot.plain import LONGEST, plain


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("hello", "hello"),
        ("a &#91;b&#93;", "a [b]"),
        ("look [CQ:image,file=x.png] at [CQ:at,qq=12]me", "look [image] at @12 me"),
        ([{"type": "text", "data": {"text": "hi "}}, {"type": "face", "data": {"id": "1"}}], "hi [face]"),
        ({"type": "text", "data": {"text": "alone"}}, "alone"),
        (["loose", {"type": "at", "data": {"user_id": 7}}], "loose@7 "),
        ("nul\0l", "nul\N{REPLACEMENT CHARACTER}l"),
        (None, ""),
        (17, ""),
        ([None, 3, {"type": "text", "data": None}, {"type": "text", "data": {"text": None}}], ""),
        ([{"data": {}}], "[None]"),
    ],
)
def test_a_message_becomes_a_line(message: Any, words: str) -> None:
    assert plain(message) == words


def test_a_line_is_bounded_whatever_comes() -> None:
    assert len(plain("x" * 100_000)) == LONGEST
    assert len(plain([{"type": "y" * 10_000, "data": {}}] * 10_000)) == LONGEST
    assert len(plain("[CQ:face,id=1]" * 50_000)) <= LONGEST
