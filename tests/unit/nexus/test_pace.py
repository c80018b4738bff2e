"""Pauses between messages."""

from __future__ import annotations

import msgspec
import pytest

from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.hot_values import RateLimits
from botmatrix.nexus.pace import Pace, Turn, turn_of

ONE, OTHER = Turn("qq:1", "group:5"), Turn("qq:1", "user:6")


def pace(exceptions: dict[str, int] | None = None, **numbers: int) -> Pace:
    made = Pace()
    made.adjust(RateLimits(**numbers, exceptions=exceptions or {}))
    return made


def test_nothing_waits_by_default() -> None:
    made = pace()
    made.take(ONE, 100.0)
    assert not made.is_on
    assert made.due(ONE) == 0.0


def test_a_bot_pauses_between_any_two_messages() -> None:
    made = pace(send_bot_per_min=20)
    made.take(ONE, 100.0)
    assert (made.due(ONE), made.due(OTHER), made.due(Turn("qq:2", "group:5"))) == (103.0, 103.0, 0.0)


def test_a_target_pauses_and_others_do_not() -> None:
    made = pace(send_target_per_min=60)
    made.take(ONE, 100.0)
    assert (made.due(ONE), made.due(OTHER)) == (101.0, 0.0)


def test_both_hold_and_exceptions_take_their_place() -> None:
    made = pace({"group:5:send_limit": 6, "bot:qq:2:send_limit": 0}, send_bot_per_min=60)
    made.take(ONE, 100.0)
    assert (made.due(ONE), made.due(OTHER)) == (110.0, 101.0)
    made.take(Turn("qq:2", "user:6"), 100.0)
    assert made.due(Turn("qq:2", "user:6")) == 0.0


def test_the_jitter_makes_a_pause_longer_and_never_shorter() -> None:
    made, pauses = pace(send_bot_per_min=60, send_jitter_ms=500), set()
    for _ in range(200):
        made.take(ONE, 100.0)
        pauses.add(made.due(ONE))
    assert 101.0 <= min(pauses) < max(pauses) <= 101.5


def test_targets_without_end_take_no_memory_without_end() -> None:
    made = pace(send_target_per_min=60)
    for number in range(50_000):
        made.take(Turn("qq:1", f"user:{number}"), float(number))
    assert len(made._next) <= 20_000


@pytest.mark.parametrize(
    ("params", "target"),
    [
        ('{"group_id": 5, "user_id": 6}', "group:5"),
        ('{"group_id": 0, "user_id": "6"}', "user:6"),
        ('{"user_id": 6, "message": {"deep": []}}', "user:6"),
        ("{}", ""),
        ("[]", ""),
        ('{"group_id": [1]}', ""),
        ('{"group_id": 1e99}', ""),
        ('{"user_id": "' + "x" * 999 + '"}', ""),
    ],
)
def test_whose_turn_it_is_is_read_from_any_parameters(params: str, target: str) -> None:
    action = ActionEntry("qq:1", "a", "send_msg", msgspec.Raw(params.encode()), 0)
    assert turn_of(action) == Turn("qq:1", target)


def test_short_pauses_are_kept_on_the_whole_and_not_singly() -> None:
    made = pace(send_bot_per_min=6_000)  # a pause of 10 ms
    now, sent = 100.0, 0
    while now < 160.0:
        while made.due(ONE) <= now:
            made.take(ONE, now)
            sent += 1
        now += 0.03  # messages come in bunches
    assert 5_990 <= sent <= 6_010
