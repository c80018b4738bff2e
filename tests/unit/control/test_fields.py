"""Numbers and lists out of the text of a presence hash."""

from __future__ import annotations

import pytest

from botmatrix.control.fields import flag, number, words


@pytest.mark.parametrize(
    ("text", "found"), [("1.5", 1.5), ("7", 7), ("", 0), ("x", 0), ("nan", 0), ("inf", 0), (None, 0), ("1e999", 0)]
)
def test_a_number_is_finite_or_nothing(text: str | None, found: float) -> None:
    assert number(text) == found


@pytest.mark.parametrize(
    ("text", "found"), [('["a", "b"]', ["a", "b"]), ("a, b,", ["a", "b"]), ("", []), ("[1", []), ([], [])]
)
def test_words_are_a_list_in_either_notation(text: object, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(("text", "found"), [("1", True), ("True", True), ("0", False), ("", False), (True, True)])
def test_a_flag_is_on_only_when_it_says_so(text: object, found: bool) -> None:
    assert flag(text) is found
