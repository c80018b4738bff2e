"""Conditions really match: a table of events and what is asked of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Session
from botmatrix.tasks.conditions import Condition, Conditions
from botmatrix.tasks.model import BadTask


def event(**fields: Any) -> Event:
    body = {"post_type": "message", "message_type": "group", "sub_type": "normal", "time": 1, "self_id": 1}
    body |= {"group_id": 77, "user_id": 5, "message_id": 9, "message": "hello"} | fields
    found = Session("", "").receive(json.dumps(body).encode())
    assert isinstance(found, Event)
    return found


def meets(condition: dict[str, Any], heard: Event, bot: str = "qq:1") -> bool:
    return Conditions([(3, Condition.read(condition))]).met(bot, heard) == [3]


def segments(*parts: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "data": data} for kind, data in parts]


JOIN = event(post_type="notice", notice_type="group_increase", sub_type="approve")
POKE = event(post_type="notice", notice_type="notify", sub_type="poke")
PRIVATE = event(message_type="private", sub_type="friend", group_id=None)
TABLE = [
    ({"event": "message"}, event(), True),
    ({"event": "message"}, JOIN, False),
    ({"event": "notice"}, JOIN, True),
    ({"event": "request"}, JOIN, False),
    ({"event": "notice.group_increase"}, JOIN, True),
    ({"event": "notice.group_decrease"}, JOIN, False),
    ({"event": "notice.group_increase.invite"}, JOIN, False),
    ({"event": "notice.notify.poke"}, POKE, True),
    ({"event": "message.private"}, PRIVATE, True),
    ({"event": "message.private"}, event(), False),
    ({"event": "message", "keyword": "广告"}, event(message="卖广告了"), True),
    ({"event": "message", "keyword": "广告"}, event(message="你好"), False),
    ({"event": "message", "keyword": "SALE"}, event(message="big sale!"), True),
    ({"event": "message", "keyword": "sale"}, event(message="ｓ\u200bａｌｅ"), True),
    ({"event": "message", "keyword": ["a!", "b!"]}, event(message="b!"), True),
    ({"event": "message", "keyword": ["a!", "b!"]}, event(message="c!"), False),
    ({"event": "message", "keyword": "ad"}, event(message=segments(("text", {"text": "ad"}))), True),
    ({"event": "message", "keyword": "jpg"}, event(message=segments(("image", {"file": "a.jpg"}))), False),
    ({"event": "message", "keyword": "ad"}, event(message="[CQ:image,file=ad.png]"), False),
    ({"event": "message", "regex": r"^buy \d+$"}, event(message="Buy 12"), True),
    ({"event": "message", "regex": r"^buy \d+$"}, event(message="buy it"), False),
    ({"event": "message", "keyword": "buy", "regex": r"\d"}, event(message="buy"), False),
    ({"event": "message", "keyword": "buy", "regex": r"\d"}, event(message="buy 1"), True),
    ({"event": "message", "regex": "上海|北京"}, event(message="去北京"), True),
    ({"event": "message", "group_id": 77}, event(), True),
    ({"event": "message", "group_id": ["78", 79]}, event(), False),
    ({"event": "message", "group_id": 77}, PRIVATE, False),
    ({"event": "message", "user_id": "5"}, event(), True),
    ({"event": "message", "user_id": [6, 7]}, event(), False),
    ({"event": "message", "bot_id": 1}, event(), True),
    ({"event": "message", "bot_id": "kook:1"}, event(), False),
    ({"event": "message", "group_id": 77, "user_id": 5, "keyword": "hello"}, event(), True),
    ({"event": "message", "group_id": 77, "user_id": 5, "keyword": "bye"}, event(), False),
]


@pytest.mark.parametrize(("condition", "heard", "wanted"), TABLE)
def test_a_condition_is_met_or_not(condition: dict[str, Any], heard: Event, wanted: bool) -> None:
    assert meets(condition, heard) is wanted


def test_each_condition_that_is_met_is_found() -> None:
    asked = [(1, {"event": "message"}), (2, {"event": "message", "keyword": "x"}), (4, {"event": "message.group"})]
    conditions = Conditions((task, Condition.read(one)) for task, one in asked)
    assert (len(conditions), conditions.met("qq:1", event())) == (3, [1, 4])
    assert (len(Conditions()), Conditions().met("qq:1", event())) == (0, [])


def test_a_condition_is_written_down_as_it_is_read() -> None:
    read = Condition.read(
        {"event": "message", "keyword": "a", "group_id": 7, "bot_id": "1", "regex": "", "cooldown": 3}
    )
    assert read.config() == {
        **{"event": "message", "keyword": ["a"], "group_id": ["7"]},
        **{"bot_id": ["qq:1"], "cooldown": 3.0},
    }
    assert Condition.read(read.config()) == read


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"event": "meta_event"},
        {"event": "message.a.b.c"},
        {"event": "message..x"},
        {"event": 5},
        {"event": "message", "colour": "red"},
        {"event": "message", "keyword": [""] * 3 + ["\u200b"]},
        {"event": "message", "keyword": 5},
        {"event": "message", "keyword": ["a"] * 101},
        {"event": "message", "regex": "(?=a)"},
        {"event": "message", "regex": "(a*)*"},
        {"event": "message", "regex": "a{900}{9}"},
        {"event": "message", "group_id": True},
        {"event": "message", "user_id": 1.5},
        {"event": "message", "bot_id": ":1"},
        {"event": "message", "cooldown": -1},
        {"event": "notice", "keyword": "a"},
    ],
)
def test_what_is_no_condition_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(BadTask):
        Condition.read(config)


@given(st.text(max_size=50), st.recursive(st.none() | st.text(max_size=9) | st.integers(), st.lists, max_leaves=5))
def test_no_message_stops_it(keyword: str, message: Any) -> None:
    try:
        condition = Condition.read({"event": "message", "keyword": keyword, "regex": "x|y"})
    except BadTask:
        return
    Conditions([(1, condition)]).met("qq:1", event(message=message))
