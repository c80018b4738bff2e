"""One-time codes: how they look, and what counts as the same."""

from __future__ import annotations

import re

import pytest

from botmatrix.bus.binding import digest_of, new_code


def test_codes_differ_and_have_no_letter_that_looks_like_another() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch(r"[A-HJ-NP-Z2-9]{5}-[A-HJ-NP-Z2-9]{5}", code) for code in codes)


@pytest.mark.parametrize("same", ["abcde-fgh23", "ABCDEFGH23", " abcde fgh23 ", "ABCDE—FGH23"])
def test_case_blanks_and_dashes_count_for_nothing(same: str) -> None:
    assert digest_of(same) == digest_of("ABCDE-FGH23")


@pytest.mark.parametrize("other", ["", "ABCDE-FGH24", "\ud800", "x" * 100_000])
def test_anything_else_is_another_code(other: str) -> None:
    assert digest_of(other) != digest_of("ABCDE-FGH23")
