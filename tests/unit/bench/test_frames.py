"""The generator's templates say what a JSON encoder would."""

from __future__ import annotations

import json

import pytest
from bench.frames import Slot, answer, decode_action, lifecycle, number_of


def test_an_event_is_a_group_message_of_about_600_bytes() -> None:
    frame = Slot(3_000_000_001, 700, 42).event(123_456_789_012_345)
    event = json.loads(frame)
    assert event["post_type"] == "message"
    assert (event["self_id"], event["group_id"], event["user_id"]) == (3_000_000_001, 700, 42)
    assert event["message"][0]["data"]["text"] == event["raw_message"]
    assert event["raw_message"].startswith("/echo #123456789012345# ")
    assert 550 <= len(frame) <= 650


def test_two_events_differ_in_message_id_so_neither_is_a_duplicate() -> None:
    slot = Slot(1, 2, 3)
    assert json.loads(slot.event(7))["message_id"] != json.loads(slot.event(8))["message_id"]


def test_the_lifecycle_event_names_the_bot() -> None:
    assert json.loads(lifecycle(77))["self_id"] == 77


@pytest.mark.parametrize("echo", ["7", '"a|b"', "null", '{"seq":1}'])
def test_the_echo_goes_back_in_its_own_type(echo: str) -> None:
    action = decode_action(b'{"action":"send_group_msg","params":{"message":"x"},"echo":%b}' % echo.encode())
    reply = json.loads(answer(action, 1))
    assert reply["echo"] == json.loads(echo)
    assert (reply["status"], reply["retcode"]) == ("ok", 0)
    assert "message_id" in reply["data"]


def test_lists_are_answered_with_a_list() -> None:
    assert json.loads(answer(decode_action(b'{"action":"get_group_list","echo":1}'), 1))["data"] == []


@pytest.mark.parametrize(
    ("params", "number"), [(b'{"message":"#42# fox"}', 42), (b'[{"text":"#7# x"}]', 7), (b"{}", -1)]
)
def test_the_number_of_a_reply_is_found(params: bytes, number: int) -> None:
    assert number_of(params) == number
