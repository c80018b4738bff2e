"""Frames in, values out."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from botmatrix.errors import BadFrame
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Answer, Ignored, Session

GROUP_MESSAGE: dict[str, Any] = {
    "time": 1_766_500_000,
    "self_id": 10001,
    "post_type": "message",
    "message_type": "group",
    "sub_type": "normal",
    "message_id": -5,
    "group_id": 123,
    "user_id": 456,
    "message": [{"type": "text", "data": {"text": "héllo 你好"}}],
}


def session() -> Session:
    return Session("10001", "ab.")


def receive(value: object) -> Event | Answer | Ignored:
    return session().receive(json.dumps(value, ensure_ascii=False).encode())


def event_of(**fields: object) -> Event:
    event = receive(GROUP_MESSAGE | fields)
    assert isinstance(event, Event)
    return event


def refusal_of(payload: bytes) -> str:
    with pytest.raises(BadFrame) as caught:
        session().receive(payload)
    return caught.value.reason


def test_event_is_read_and_its_bytes_are_kept() -> None:
    payload = json.dumps(GROUP_MESSAGE, ensure_ascii=False).encode()
    assert session().receive(payload) == Event(
        "message", "group", "normal", "10001", "456", "123", "-5", 1_766_500_000, payload
    )


@pytest.mark.parametrize(
    ("post_type", "field", "detail"),
    [
        ("message", "message_type", "private"),
        ("message_sent", "message_type", "group"),
        ("notice", "notice_type", "group_increase"),
        ("request", "request_type", "friend"),
        ("meta_event", "meta_event_type", "heartbeat"),
    ],
)
def test_every_post_type_has_its_detail_type(post_type: str, field: str, detail: str) -> None:
    event = receive({"post_type": post_type, field: detail, "self_id": 10001})
    assert isinstance(event, Event)
    assert (event.post_type, event.detail_type) == (post_type, detail)


@pytest.mark.parametrize(
    ("fields", "conv"),
    [
        ({"message_type": "group", "group_id": 5, "user_id": 6}, "group:5"),
        ({"message_type": "private", "group_id": 5, "user_id": 6}, "private:6"),
        ({"message_type": "private", "group_id": 0, "user_id": 6}, "private:6"),
        ({"message_type": "group", "group_id": "0", "user_id": "u"}, "private:u"),
        ({"group_id": None, "user_id": None}, "bot"),
    ],
)
def test_conversation_of_an_event(fields: dict[str, object], conv: str) -> None:
    assert event_of(**fields).conv == conv


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (-1, "-1"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63), "-9223372036854775808"),
        ("10001", "10001"),
        ("007", "007"),
        ("", ""),
        (None, ""),
        ("abc_DEF-1", "abc_DEF-1"),
        ("你好", "你好"),
    ],
)
def test_ids_become_text(value: object, text: str) -> None:
    assert event_of(user_id=value, group_id=value, message_id=value).user_id == text


@pytest.mark.parametrize("field", ["self_id", "user_id", "group_id", "message_id"])
@pytest.mark.parametrize(
    "value",
    [
        "true",
        "1.0",
        "1e3",
        "10001.0",
        "9223372036854775808",
        "-9223372036854775809",
        "[]",
        "{}",
        '"a\\nb"',
        '"\\u0000"',
    ],
)
def test_ids_of_other_kinds_are_refused(field: str, value: str) -> None:
    assert refusal_of(f'{{"post_type":"message","{field}":{value}}}'.encode()) == "bad_id"


@pytest.mark.parametrize("value", ["18446744073709551616", "9" * 400])
def test_ids_beyond_what_a_reader_takes_are_refused(value: str) -> None:
    assert refusal_of(f'{{"post_type":"message","user_id":{value}}}'.encode()) in ("bad_id", "bad_number")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "bad_json"),
        (b"[]", "not_an_object"),
        (b"1", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"post_type"', "not_an_object"),
        (b"{", "bad_json"),
        (b'{"post_type":"message"} x', "bad_json"),
        (b'\xef\xbb\xbf{"post_type":"message"}', "bad_json"),
        (b'{"post_type":"message","x":NaN}', "bad_json"),
        (b'{"post_type":"message","x":-Infinity}', "bad_json"),
        (b'{"post_type":"message","time":1e400}', "bad_number"),
        (b'{"post_type":"message","x":01}', "bad_json"),
        (b'{"post_type":"message","x":"\\ud8"}', "bad_json"),
        (b'{"post_type":"message","x":"\\q"}', "bad_json"),
        (b'{"post_type":"message","x":"\n"}', "bad_json"),
        (b'{"post_type":"message","unknown":"\xff"}', "bad_utf8"),
        (b'{"post_type":"message","\xc0\xaf":1}', "bad_utf8"),
        (b'{"post_type":"message","x":"\xed\xa0\x80"}', "bad_utf8"),
        (b'{"post_type":["message"]}', "bad_post_type"),
        (b'{"hello":"world"}', "not_onebot"),
        (b'{"type":"register_capabilities"}', "not_onebot"),
        (b'{"post_type":"message","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    ],
)
def test_broken_frames_are_refused_with_a_reason(payload: bytes, reason: str) -> None:
    assert refusal_of(payload) == reason


@pytest.mark.parametrize(
    "fields", [{"sub_type": None}, {"sub_type": 5}, {"time": "now"}, {"time": -1.5}, {"time": None}]
)
def test_fields_of_a_wrong_type_that_nobody_needs_count_as_absent(fields: dict[str, object]) -> None:
    event = event_of(**fields)
    assert event.user_id == "456"
    assert (event.sub_type if "sub_type" in fields else event.time) in ("", 0)


@pytest.mark.parametrize("message", ["text", [], None, {"type": "text"}, [{"type": 1, "data": 5}]])
def test_message_may_be_anything(message: object) -> None:
    assert json.loads(event_of(message=message).raw)["message"] == message


def test_of_duplicate_keys_the_last_one_counts_as_in_every_parser() -> None:
    payload = b'{"post_type":"message","self_id":10002,"self_id":10001}'
    event = session().receive(payload)
    assert isinstance(event, Event)
    assert event.self_id == str(json.loads(payload)["self_id"]) == str(msgspec.json.decode(payload)["self_id"])


def test_half_of_a_surrogate_pair_is_replaced_and_the_rest_is_kept() -> None:
    link = session()
    event = link.receive(rb'{"post_type":"message","x":"\ud83d a \\ud83d b \ud83d\ude00 c \udE00"}')
    assert isinstance(event, Event)
    assert event.raw == rb'{"post_type":"message","x":"\ufffd a \\ud83d b \ud83d\ude00 c \ufffd"}'
    assert link.repaired == 1


def test_event_of_another_bot_is_ignored() -> None:
    assert receive(GROUP_MESSAGE | {"self_id": 10002}) == Ignored("self_id_mismatch")
    assert receive(GROUP_MESSAGE | {"self_id": "10002", "sub_type": None}) == Ignored("self_id_mismatch")
    assert isinstance(receive(GROUP_MESSAGE | {"self_id": "10001"}), Event)
    assert isinstance(receive({k: v for k, v in GROUP_MESSAGE.items() if k != "self_id"}), Event)
    assert isinstance(Session("", "").receive(json.dumps(GROUP_MESSAGE).encode()), Event)


def test_frames_that_are_no_events_are_ignored() -> None:
    assert receive({"post_type": "log", "level": "INFO"}) == Ignored("log")
    assert receive({"post_type": "something", "self_id": True}) == Ignored("unknown_post_type")


def test_meta_event_may_come_without_a_post_type() -> None:
    event = receive({"type": "meta_event", "meta_event_type": "lifecycle", "self_id": "10001"})
    assert isinstance(event, Event)
    assert (event.post_type, event.detail_type) == ("meta_event", "lifecycle")


def test_answer_is_read() -> None:
    item = receive(
        {"status": "failed", "retcode": 1404, "data": None, "message": "no", "wording": "nope", "echo": "ab.1"}
    )
    assert isinstance(item, Answer)
    assert item.echo == "ab.1"
    response = item.response
    assert (response.status, response.retcode, bytes(response.data)) == ("failed", 1404, b"null")
    assert (response.message, response.wording, response.ok) == ("no", "nope", False)


@pytest.mark.parametrize(
    ("fields", "status", "retcode"),
    [
        ({"status": "ok"}, "ok", 0),
        ({"retcode": 0}, "ok", 0),
        ({"status": "failed"}, "failed", -1),
        ({"status": "failed", "retcode": "1404"}, "failed", -1),
        ({"status": "async", "retcode": 1}, "async", 1),
        ({"status": {"online": True}, "retcode": 5}, "failed", 5),
        ({}, "failed", -1),
    ],
)
def test_answer_with_missing_fields_is_completed(fields: dict[str, object], status: str, retcode: int) -> None:
    item = receive(fields | {"echo": "ab.1"})
    assert isinstance(item, Answer)
    assert (item.response.status, item.response.retcode) == (status, retcode)


@pytest.mark.parametrize("echo", [1, 1.5, True, {"seq": 1}, ["ab.1"]])
def test_echo_of_another_type_is_not_guessed(echo: object) -> None:
    assert receive({"status": "ok", "retcode": 0, "echo": echo}) == Ignored("answer_bad_echo")


def test_answer_without_echo_is_ignored() -> None:
    assert receive({"status": "failed", "retcode": 1403, "echo": ""}) == Ignored("answer_without_echo")
    assert receive({"status": "ok", "retcode": 0, "data": {}}) == Ignored("answer_without_echo")


def test_event_with_an_echo_is_an_event() -> None:
    assert isinstance(receive(GROUP_MESSAGE | {"echo": {"seq": 1}, "status": "ok", "retcode": 0}), Event)


def test_echoes_are_unique_and_recognised() -> None:
    link = session()
    echoes = [link.next_echo() for _ in range(100)]
    assert len(set(echoes)) == 100
    assert all(link.has_issued(echo) for echo in echoes)
    assert not any(link.has_issued(echo) for echo in ("ab.65", "ab.0", "ab.", "ab.zz", "cd.1", "1", ""))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
FIELDS = (
    *("post_type", "message_type", "notice_type", "meta_event_type", "sub_type", "self_id", "user_id", "group_id"),
    *("message_id", "time", "echo", "status", "retcode", "data", "message", "wording", "type", "stream", "interval"),
)
frames = st.dictionaries(
    st.sampled_from(FIELDS) | st.text(max_size=8),
    json_values | st.sampled_from(["message", "notice", "meta_event", "ok", "stream-action", 10001]),
    max_size=10,
)


@settings(max_examples=1000)
@given(frames)
@example({"post_type": "message", "user_id": math.inf})
def test_whatever_object_comes_is_a_value_or_a_refusal(frame: dict[str, object]) -> None:
    payload = json.dumps(frame).encode("utf-8", "replace")
    try:
        item = session().receive(payload)
    except BadFrame:
        return
    assert isinstance(item, Event | Answer | Ignored)
    if isinstance(item, Event):
        assert isinstance(json.loads(b'{"event":%b}' % item.raw)["event"], dict)


@settings(max_examples=1000)
@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 40))
def test_whatever_bytes_come_are_a_value_or_a_refusal(noise: bytes, at: int, cut: int) -> None:
    sound = json.dumps(GROUP_MESSAGE, ensure_ascii=False).encode()
    for payload in (noise, sound[:at] + noise + sound[at + cut :]):
        try:
            item = session().receive(payload)
        except BadFrame:
            continue
        assert isinstance(item, Event | Answer | Ignored)
        if isinstance(item, Event):
            item.raw.decode()
            json.loads(item.raw)
