"""The numbers that a search for a part of a text goes by."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from botmatrix.store.grams import grams


@given(st.text(max_size=60), st.text(max_size=10), st.text(max_size=60))
def test_whatever_contains_a_text_has_all_its_numbers(before: str, part: str, after: str) -> None:
    assert set(grams(part)) <= set(grams(before + part + after))


def test_case_counts_for_nothing_and_numbers_fit_the_column() -> None:
    assert grams("Weather PARIS") == grams("weather paris")
    assert all(-(1 << 31) <= number < 1 << 31 for number in grams("今天天气怎么样 " * 50))


def test_a_single_chinese_letter_can_be_looked_for_and_an_ascii_one_can_not() -> None:
    assert len(grams("天")) == 1
    assert grams("a") == []
