"""How much may be said a minute, with the clock held still."""

from __future__ import annotations

import pytest

from botmatrix.bus.hot_values import Limit, RateLimits
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.limits import Limits, Window
from botmatrix.onebot.event import Event

NOW = 1_700_000_000_000
BOT = Bot("qq", "1", 0.0)


def limits(exceptions: dict[str, int] | None = None, **numbers: int) -> Limits:
    made = Limits()
    made.adjust(RateLimits(**numbers, exceptions=exceptions or {}))
    return made


def said(user: str = "7", group: str = "456", post_type: str = "message") -> Event:
    detail = "group" if group else "private"
    return Event(post_type, detail, "normal", "1", user, group, "1", 1_700_000_000, b"{}")


def passed(limits: Limits, event: Event, times: int, at_ms: int = 0, bot: Bot = BOT) -> int:
    """How many of so many messages at one moment go on."""
    return sum(limits.stop(bot, event, NOW + at_ms)[0] == "" for _ in range(times))


def test_nothing_is_on_by_default_and_an_exemption_does_not_turn_it_on() -> None:
    assert not Limits().are_on
    assert not limits({"user:7:limit": 0}).are_on
    assert limits({"user:7:limit": 1}).are_on


@pytest.mark.parametrize("per_min", [1, 7, 20, 100, 999])
def test_a_number_a_minute_may_come_at_once_and_again_a_minute_later(per_min: int) -> None:
    window = limits(user_limit_per_min=per_min)
    assert passed(window, said(), per_min + 5) == per_min
    assert passed(window, said(), 1, at_ms=60_000 // per_min - 1) == 0
    assert passed(window, said(), per_min + 5, at_ms=60_000) == per_min


def test_over_ten_minutes_no_more_than_the_number_a_minute_and_what_came_at_once() -> None:
    window = limits(user_limit_per_min=20)
    assert sum(passed(window, said(), 1, at_ms=second * 1000) for second in range(600)) <= 20 * 11


def test_each_limit_has_its_reason_and_says_its_number() -> None:
    both = limits(user_limit_per_min=5, group_limit_per_min=8, bot_limit_per_min=10)
    assert passed(both, said("1"), 5) == 5
    assert both.stop(BOT, said("1"), NOW) == ("limited_user", "more than 5 a minute")
    assert passed(both, said("2"), 3) == 3
    assert both.stop(BOT, said("2"), NOW) == ("limited_group", "more than 8 a minute")
    assert passed(both, said("3", group=""), 2) == 2
    assert both.stop(BOT, said("3", group=""), NOW) == ("limited_bot", "more than 10 a minute")


def test_what_one_limit_stops_does_not_count_for_the_others() -> None:
    both = limits(user_limit_per_min=5, group_limit_per_min=2)
    assert passed(both, said(group="1"), 50) == 2
    assert passed(both, said(group="2"), 50) == 2
    assert passed(both, said(group="3"), 50) == 1


def test_exceptions_hold_for_an_id_or_for_it_on_one_platform() -> None:
    window = limits({"user:7:limit": 1, "user:qq:8:limit": 0, "group:9:limit": 3}, user_limit_per_min=5)
    assert [passed(window, said(user, ""), 9) for user in ("6", "7", "8")] == [5, 1, 9]
    assert passed(window, said("8", "9"), 9) == 3
    assert passed(window, said("8", ""), 9, bot=Bot("wx", "1", 0.0)) == 5


def test_bots_are_counted_apart() -> None:
    window = limits(user_limit_per_min=5)
    assert [passed(window, said(), 9, bot=Bot("qq", self_id, 0.0)) for self_id in ("1", "2")] == [5, 5]


@pytest.mark.parametrize("post_type", ["notice", "request", "message_sent"])
def test_only_messages_are_limited(post_type: str) -> None:
    window = limits(user_limit_per_min=1, bot_limit_per_min=1)
    assert passed(window, said(post_type=post_type), 9) == 9
    assert passed(window, said(), 9) == 1


def test_a_new_number_holds_at_once_and_off_is_off() -> None:
    window = limits(user_limit_per_min=5)
    assert passed(window, said(), 9) == 5
    window.adjust(RateLimits(user_limit_per_min=50))
    assert passed(window, said(), 9, at_ms=12_000) > 0
    window.adjust(RateLimits())
    assert not window.are_on


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    window = limits(user_limit_per_min=5)
    assert passed(window, said(), 9) == 5
    assert passed(window, said(), 9, at_ms=-3_600_000) == 5


def test_ids_without_end_take_no_memory_without_end_and_forgive_nobody_who_goes_on() -> None:
    window = limits(user_limit_per_min=5)
    assert passed(window, said("loud"), 9) == 5
    for number in range(200_000):
        window.stop(BOT, said(f"u{number}"), NOW)
        if number % 10_000 == 0:
            assert passed(window, said("loud"), 1) == 0
    assert len(window.windows[0]) <= 65_536


def test_the_quiet_of_a_whole_generation_are_forgotten() -> None:
    window = Window("user", generation=4)
    window.adjust(Limit(per_min=1))
    assert [window.take("qq", "a", ("1", "a"), NOW) for _ in range(2)] == [True, False]
    for number in range(9):
        window.take("qq", str(number), ("1", str(number)), NOW)
    assert window.take("qq", "a", ("1", "a"), NOW)
    assert len(window) <= 8
