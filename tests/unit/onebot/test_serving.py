from __future__ import annotations

import json

import msgspec
import pytest

from botmatrix.errors import BadFrame
from botmatrix.onebot import serving
from botmatrix.onebot.action import ActionResponse


def response(raw: bytes, status: str = "ok", retcode: int = 0) -> ActionResponse:
    return ActionResponse(status, retcode, msgspec.Raw(b"null"), "", "", raw)


@pytest.mark.parametrize(
    "echo",
    ['"1"', "2", "140329697109200", '{"seq":1}', '{"reqid":"x","n":[1,2]}', "true", "1.5", '""', '"ob11-1"', "[0]"],
)
def test_an_echo_of_any_type_comes_back_as_it_was_written(echo: str) -> None:
    call = serving.read_call(b'{"action":"get_status","params":{},"echo":%b}' % echo.encode())
    answer = serving.answer_frame(response(b'{"status":"ok","retcode":0,"data":{},"echo":"hub.1"}'), call.echo)
    assert b'"echo":%b' % echo.encode() in answer
    assert b"hub.1" not in answer


@pytest.mark.parametrize("frame", [b'{"action":"a"}', b'{"action":"a","echo":null}'])
def test_a_call_without_an_echo_wants_no_answer(frame: bytes) -> None:
    assert serving.read_call(frame).echo == b""


@pytest.mark.parametrize(
    ("frame", "params"),
    [
        (b'{"action":"a"}', b"{}"),
        (b'{"action":"a","params":null}', b"{}"),
        (b'{"action":"a","params":{"x":"\xe4\xbd\xa0"}}', b'{"x":"\xe4\xbd\xa0"}'),
        (b'{"action":"a","params":[1]}', b""),
        (b'{"action":"a","params":"x"}', b""),
    ],
)
def test_params_are_passed_on_untouched_or_known_to_be_wrong(frame: bytes, params: bytes) -> None:
    assert serving.read_call(frame).params == params


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "bad_json"),
        (b"[]", "bad_json"),
        (b'{"action":"a"', "bad_json"),
        (b'{"action":"\xff"}', "bad_utf8"),
        (b'{"action":"a","echo":"' + b"x" * 5000 + b'"}', "bad_echo"),
        (b'{"params":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad_json"),
    ],
)
def test_what_is_no_call_is_refused_with_a_reason(frame: bytes, reason: str) -> None:
    with pytest.raises(BadFrame) as caught:
        serving.read_call(frame)
    assert caught.value.reason == reason


def test_a_name_that_is_no_text_is_no_name() -> None:
    assert serving.read_call(b'{"action":5,"echo":1}').action == ""


def test_half_a_surrogate_pair_in_a_call_is_mended() -> None:
    call = serving.read_call(b'{"action":"send_msg","params":{"message":"\\ud83d"},"echo":1}')
    assert json.loads(call.params) == {"message": "�"}


def test_an_answer_has_every_field_that_applications_rely_on() -> None:
    answer = json.loads(serving.answer_frame(response(b'{"status":"ok","echo":"hub.1"}'), b"7"))
    assert answer == {"status": "ok", "retcode": 0, "data": None, "message": "", "wording": "", "echo": 7}


def test_an_answer_keeps_what_else_the_bot_said() -> None:
    raw = b'{"status":"failed","retcode":100,"data":null,"wording":"w","extra":[1],"echo":"hub.1"}'
    answer = json.loads(serving.answer_frame(response(raw, "failed", 100), b'"a"'))
    assert answer["extra"] == [1]
    assert (answer["status"], answer["retcode"], answer["wording"]) == ("failed", 100, "w")


def test_a_failure_of_the_hub_has_the_shape_of_a_bots_answer() -> None:
    failure = json.loads(serving.failure_frame(serving.NO_BOT, 'no "bot"', b'{"seq":1}'))
    assert failure == {
        "status": "failed",
        "retcode": 1404,
        "data": None,
        "message": 'no "bot"',
        "wording": 'no "bot"',
        "echo": {"seq": 1},
    }


@pytest.mark.parametrize(
    ("self_id", "written"),
    [
        ("10001", 10001),
        ("-5", -5),
        ("007", "007"),
        ("wx_1", "wx_1"),
        (str(2**63), str(2**63)),
        ("１２", "１２"),
        ("1_0", "1_0"),
    ],
)
def test_a_self_id_is_a_number_where_it_is_one(self_id: str, written: object) -> None:
    assert json.loads(serving.lifecycle_frame(self_id, 5.9)) == {
        "time": 5,
        "self_id": written,
        "post_type": "meta_event",
        "meta_event_type": "lifecycle",
        "sub_type": "connect",
    }


def test_a_heartbeat_says_how_the_bot_is() -> None:
    beat = json.loads(serving.heartbeat_frame("1", 5, online=True, good=False, interval=30))
    assert beat["status"] == {"online": True, "good": False}
    assert (beat["interval"], beat["meta_event_type"]) == (30_000, "heartbeat")


def test_a_message_becomes_an_array_where_it_is_none() -> None:
    raw = b'{"post_type":"message","message":"hi [CQ:at,qq=1]","raw_message":"hi [CQ:at,qq=1]","user_id":5}'
    event = json.loads(serving.with_array_message(raw))
    assert event["message"] == [
        {"type": "text", "data": {"text": "hi "}},
        {"type": "at", "data": {"qq": "1"}},
    ]
    assert (event["raw_message"], event["user_id"]) == ("hi [CQ:at,qq=1]", 5)


@pytest.mark.parametrize("raw", [b'{"message":[]}', b'{"post_type":"notice"}', b'{"message":null}'])
def test_what_has_no_text_message_stays_the_bytes_that_it_was(raw: bytes) -> None:
    assert serving.with_array_message(raw) is raw
