"""Fields of the hot configuration are read, or named with what is wrong."""

from __future__ import annotations

import pytest

from botmatrix.bus.hot_values import Kind, RateLimits, Ttls, check, defaults, rate_limits, ttls


def test_nothing_is_limited_before_anything_is_set() -> None:
    limits = rate_limits({})
    assert limits == RateLimits()
    assert limits.heard("user").is_off
    assert limits.sent("group").is_off


def test_fields_of_existing_deployments_are_understood() -> None:
    text = {"user_limit_per_min": "20", "group_limit_per_min": " 100 ", "user:5:limit": "0", "group:qq:6:limit": "7"}
    numbers, problems = check(Kind.RATELIMIT, text)
    limits = rate_limits(numbers)
    assert problems == {}
    assert [limits.heard("user").of("qq", one) for one in ("4", "5")] == [20, 0]
    assert [limits.heard("group").of(platform, "6") for platform in ("qq", "wx")] == [7, 100]


def test_what_is_sent_has_exceptions_of_its_own() -> None:
    text = {
        "send_target_per_min": "30",
        "send_bot_per_min": "60",
        "group:6:send_limit": "5",
        "bot:qq:1:send_limit": "0",
    }
    limits = rate_limits(check(Kind.RATELIMIT, text).numbers)
    assert [limits.sent("group").of("qq", one) for one in ("6", "7")] == [5, 30]
    assert limits.sent("user").of("qq", "6") == 30
    assert [limits.sent("bot").of("qq", one) for one in ("1", "2")] == [0, 60]
    assert limits.heard("group").is_off


def test_an_exception_alone_turns_a_limit_on_and_an_exemption_alone_does_not() -> None:
    assert not rate_limits({"bot:1:limit": 5}).heard("bot").is_off
    assert rate_limits({"bot:1:limit": 0}).heard("bot").is_off


def test_an_id_with_colons_is_one_id() -> None:
    limits = rate_limits(check(Kind.RATELIMIT, {"user:matrix:@a:b.org:limit": "3"}).numbers)
    assert limits.heard("user").of("matrix", "@a:b.org") == 3


def test_case_counts_for_nothing_in_the_platform_of_an_exception() -> None:
    limits = rate_limits(check(Kind.RATELIMIT, {"user:QQ:5:limit": "3", "user:@A:b:limit": "4"}).numbers)
    assert limits.heard("user").of("qq", "5") == 3
    assert limits.heard("user").of("matrix", "@A:b") == 4


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "1e3", "٣", "1000001", "9" * 5000, "1\n2", "0x10"])
def test_a_value_that_is_no_number_in_range_is_named(value: str) -> None:
    numbers, problems = check(Kind.RATELIMIT, {"user_limit_per_min": value, "group_limit_per_min": "1"})
    assert numbers == {"group_limit_per_min": 1}
    assert "0 to 1000000" in problems["user_limit_per_min"]
    assert len(problems["user_limit_per_min"]) < 200


@pytest.mark.parametrize(
    "name", ["nonsense", "user::limit", "user:5:limits", "user: 5:limit", "cat:5:limit", "user:" + "5" * 999 + ":limit"]
)
def test_a_name_that_nobody_knows_is_named(name: str) -> None:
    assert check(Kind.RATELIMIT, {name: "1"}).problems[name].startswith("there is no such field")


def test_a_slip_of_the_pen_is_told_the_nearest_name() -> None:
    assert "user_limit_per_min" in check(Kind.RATELIMIT, {"user_limit_permin": "1"}).problems["user_limit_permin"]


def test_times_to_live_have_their_defaults_and_ranges() -> None:
    assert ttls({}) == Ttls(idempotency_ttl_sec=120, session_ttl_sec=86_400)
    assert defaults(Kind.TTL) == {"idempotency_ttl_sec": 120, "session_ttl_sec": 86_400, "session_history": 5}
    assert check(Kind.TTL, {"idempotency_ttl_sec": "0"}).problems
    assert check(Kind.TTL, {"user:5:limit": "1"}).problems
