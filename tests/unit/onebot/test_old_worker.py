from __future__ import annotations

import json
from typing import Any

import pytest

from botmatrix.errors import BadFrame
from botmatrix.onebot.old_worker import (
    Handled,
    Registered,
    Request,
    SkillResult,
    event_frame,
    failure_frame,
    read_frame,
)


def frame(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def request(**fields: Any) -> Request:
    said = read_frame(frame(**fields))
    assert isinstance(said, Request)
    return said


@pytest.mark.parametrize("kind", ["register_capabilities", "update_metadata", "worker_register"])
def test_a_registration_keeps_what_has_a_name(kind: str) -> None:
    said = read_frame(frame(type=kind, capabilities=[{"name": "checkin", "regex": "^x$"}, {"name": ""}, 5, {}]))
    assert said == Registered([{"name": "checkin", "regex": "^x$"}])


def test_a_registration_is_recognised_before_a_request() -> None:
    assert isinstance(read_frame(frame(type="register_capabilities", capabilities=[], action="x")), Registered)


@pytest.mark.parametrize(
    ("fields", "self_id"),
    [
        ({"self_id": "123"}, "123"),
        ({"self_id": 123}, "123"),
        ({"params": {"self_id": 5}}, "5"),
        ({"bot_id": "9"}, "9"),
        ({}, ""),
        ({"self_id": True}, ""),
    ],
)
def test_the_bot_of_a_request_is_named_at_the_top_or_in_its_params(fields: dict[str, Any], self_id: str) -> None:
    assert request(action="send_msg", echo="x", **fields).self_id == self_id


def test_a_request_knows_its_group() -> None:
    assert request(action="send_msg", params={"group_id": 7}).group_id == "7"


def test_an_echo_without_a_type_is_a_request_even_without_an_action() -> None:
    assert request(echo="x").action == ""


def test_a_reply_is_passive_also_where_it_has_an_echo() -> None:
    said = request(reply="hi", echo="evt_1", user_id="5", group_id="", self_id="9", platform="QQ")
    assert (said.action, said.self_id, said.platform, said.echo) == ("send_msg", "9", "qq", b"")
    assert json.loads(said.params) == {
        "user_id": "5",
        "group_id": "",
        "self_id": "9",
        "platform": "QQ",
        "message": "hi",
    }


def test_a_request_with_a_reply_is_a_request() -> None:
    assert request(action="get_status", reply="hi", echo="x").action == "get_status"


def test_a_skill_result_is_handed_on_as_it_came() -> None:
    fields = {"type": "skill_result", "execution_id": "e", "result": "sunny"}
    assert read_frame(frame(**fields)) == SkillResult(fields)


def test_anything_else_with_an_echo_says_that_the_event_was_handled() -> None:
    assert read_frame(frame(type="done", echo="evt_1")) == Handled("evt_1")


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b'"x"', b'{"a":\xff}'])
def test_what_is_no_frame_is_refused(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        read_frame(payload)


def test_a_huge_echo_is_refused() -> None:
    with pytest.raises(BadFrame):
        read_frame(frame(action="x", echo="e" * 5000))


def test_an_event_has_text_ids_and_says_where_it_comes_from() -> None:
    raw = frame(
        post_type="message",
        message_type="group",
        user_id=2**60,
        group_id=-7,
        self_id=1,
        message_id=5,
        font=0,
        message="你好",
    )
    sent = json.loads(event_frame(raw, "qq", "1", "evt_1_2"))
    assert (sent["user_id"], sent["group_id"], sent["self_id"], sent["message_id"]) == (str(2**60), "-7", "1", "5")
    assert (sent["platform"], sent["echo"], sent["font"], sent["message"]) == ("qq", "evt_1_2", 0, "你好")


def test_a_failure_is_in_the_words_of_old_workers() -> None:
    assert json.loads(failure_frame(1404, "No Bot available", b'"x"')) == {
        "status": "failed",
        "retcode": 1404,
        "msg": "No Bot available",
        "echo": "x",
        "data": None,
    }
