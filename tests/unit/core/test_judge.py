"""Which event is blocked, and why."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.pace import slowness
from tests.unit.core.saying import event, text

from botmatrix.core.config import CoreConfig
from botmatrix.core.judge import Judge
from botmatrix.onebot.event import Event


def judge(**sections: Any) -> Judge:
    return Judge(CoreConfig.model_validate(sections))


def reason(made: Judge, said: Event, *, platform: str = "qq", bot: str = "10001") -> str:
    return made.reason(platform, bot, said)


CLOSED = {"system_control": {"open": False}}
POSTS = ["message", "notice", "request", "message_sent", "meta_event"]


def test_nothing_is_blocked_by_default() -> None:
    assert [reason(judge(), event(post=post)) for post in POSTS] == [""] * 5


def test_a_closed_system_blocks_what_bots_hear_and_nothing_they_did() -> None:
    found = [reason(judge(**CLOSED), event(post=post)) for post in POSTS]
    assert found == ["system_closed", "system_closed", "system_closed", "", ""]


def test_maintenance_has_its_own_reason_and_closed_comes_first() -> None:
    assert reason(judge(system_control={"maintenance_mode": True}), event()) == "maintenance"
    assert reason(judge(system_control={"maintenance_mode": True, "open": False}), event()) == "system_closed"


def test_a_judge_that_is_not_enabled_blocks_nothing() -> None:
    assert reason(judge(enabled=False, **CLOSED), event()) == ""


@pytest.mark.parametrize(
    ("black", "white", "expected"),
    [
        ({"system": ["7"]}, {}, "user_blacklisted"),
        ({"system": ["qq:7"]}, {}, "user_blacklisted"),
        ({"system": ["QQ:7"]}, {}, "user_blacklisted"),
        ({"system": ["wx:7"]}, {}, ""),
        ({"system": ["77"]}, {}, ""),
        ({"robot": ["10001"]}, {}, "bot_blacklisted"),
        ({"robot": ["qq:10001"]}, {}, "bot_blacklisted"),
        ({"group": ["456"]}, {}, "group_blacklisted"),
        ({"group": ["7"]}, {}, ""),
        ({"system": ["7"], "robot": ["10001"], "group": ["456"]}, {}, "user_blacklisted"),
        ({"robot": ["10001"], "group": ["456"]}, {}, "bot_blacklisted"),
        ({"system": ["7"]}, {"system": ["7"]}, ""),
        ({"system": ["7"]}, {"group": ["456"]}, ""),
        ({"group": ["456"]}, {"robot": ["qq:10001"]}, ""),
        ({"group": ["456"]}, {"system": ["8"]}, "group_blacklisted"),
    ],
)
def test_lists(black: dict[str, Any], white: dict[str, Any], expected: str) -> None:
    assert reason(judge(permissions={"blacklist": black, "whitelist": white}), event()) == expected


def test_a_private_message_belongs_to_no_group() -> None:
    assert reason(judge(permissions={"blacklist": {"group": ["456"]}}), event(group="")) == ""


def test_lists_and_words_do_not_concern_notices() -> None:
    made = judge(permissions={"blacklist": {"system": ["7"]}}, sensitive_words={"system": {"plain": ["hello"]}})
    assert reason(made, event(post="notice")) == ""
    assert reason(made, event(post="message_sent")) == ""


def test_the_whitelist_does_not_excuse_words() -> None:
    made = judge(permissions={"whitelist": {"system": ["7"]}}, sensitive_words={"system": {"plain": ["hello"]}})
    assert reason(made, event()) == "sensitive_word_detected"


def test_words_of_a_group_and_of_a_bot_hold_there_only() -> None:
    words = {"group": {"qq:456": {"plain": ["hello"]}}, "robot": {"10002": {"regex": ["hel+o"]}}}
    made = judge(sensitive_words=words)
    assert reason(made, event()) == "sensitive_word_detected"
    assert reason(made, event(group="457")) == ""
    assert reason(made, event(), platform="wx") == ""
    assert reason(made, event(group="457"), bot="10002") == "sensitive_word_regex_detected"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"message":5}', b'{"message":[5,{"type":1},{"type":"text"}]}', b"\xff"]
)
def test_what_can_not_be_read_says_nothing(raw: bytes) -> None:
    made = judge(sensitive_words={"system": {"plain": ["hello"]}})
    odd = Event("message", "group", "", "10001", "7", "456", "1", 0, raw)
    assert reason(made, odd) == ""


def test_a_message_without_segments_is_judged_by_its_raw_form() -> None:
    made = judge(sensitive_words={"system": {"plain": ["hello"]}})
    odd = Event("message", "group", "", "1", "7", "4", "1", 0, b'{"raw_message":"well, hello"}')
    assert reason(made, odd) == "sensitive_word_detected"


def test_one_segment_that_is_odd_does_not_hide_the_others() -> None:
    made = judge(sensitive_words={"system": {"plain": ["hello"]}})
    assert reason(made, event([*text("he"), {"type": "face", "data": 5}, 7, *text("llo")])) != ""


HEAVY = [
    *("http://" * 2300, "http://%41" * 1600, "http://a " * 1800, "http://" + "a." * 8000, "http://a@" * 1800),
    *("a" * 16_000, "[CQ:a," * 2700, "\u200b" * 16_000, "\ufdfa" * 4_000, "a" + "\u0300\u0316" * 8_000),
]


@pytest.mark.parametrize("said", HEAVY, ids=[repr(one[:10]) for one in HEAVY])
def test_no_text_takes_long(said: str) -> None:
    words = {"system": {"plain": ["a" * 100 + "b"], "regex": ["a+b$"]}}
    urls = {"blacklist": {"domain_suffix": ["evil.com"], "regex": ["zz"]}, "whitelist": {"regex": ["yy"]}}
    made = judge(sensitive_words=words, url_filter=urls)
    for message in (said, text(said)):
        started = time.process_time()
        assert reason(made, event(message)) == ""
        assert time.process_time() - started < 0.3 * slowness()
