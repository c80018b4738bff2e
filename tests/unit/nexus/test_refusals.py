"""The last refused handshakes."""

from __future__ import annotations

from dataclasses import replace

from botmatrix.nexus.refusals import Refusal, Refusals

ONE = Refusal(1000.0, "10.0.0.1:5", "/ws", "1", "UA", 403, "the token is wrong", "correct it")


def test_only_the_last_two_hundred_of_the_last_hour_are_kept() -> None:
    refusals = Refusals()
    for number in range(300):
        refusals.add(replace(ONE, at=1000.0 + number))
    kept = refusals.recent(1300.0)
    assert len(kept) == 200
    assert kept[0].at == 1299.0
    assert len(refusals.recent(1300.0 + 3500)) == 99
    assert refusals.recent(9000.0) == []


def test_a_client_that_knocks_all_the_time_is_news_once_a_minute() -> None:
    refusals = Refusals()
    assert refusals.add(ONE)
    assert not refusals.add(replace(ONE, at=1003.0, remote="10.0.0.1:6"))
    assert refusals.add(replace(ONE, at=1004.0, remote="10.0.0.2:6"))
    assert refusals.add(replace(ONE, at=1005.0, reason="no token was given"))
    assert refusals.add(replace(ONE, at=1063.5))
