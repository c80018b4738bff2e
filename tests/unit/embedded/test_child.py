"""How long to wait before a child is started again, and how its end is put in words."""

from __future__ import annotations

import pytest

from botmatrix.embedded.child import Backoff, how


def test_waits_double_up_to_a_minute() -> None:
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_stable_minute_begins_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(0.1)
    assert backoff.after(60.0) == 1
    assert backoff.after(59.9) == 2


@pytest.mark.parametrize(("code", "words"), [(3, "exit 3"), (-9, "killed by SIGKILL"), (-200, "killed by signal 200")])
def test_end_in_words(code: int, words: str) -> None:
    assert how(code) == words
