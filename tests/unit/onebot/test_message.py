"""Messages and their segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botmatrix.onebot.message import (
    At,
    Face,
    File,
    Forward,
    Image,
    Json,
    Message,
    Node,
    Raw,
    Record,
    Reply,
    Segment,
    Text,
    Video,
)


def test_plain_strings_are_never_read_as_cq_codes() -> None:
    hostile = "[CQ:at,qq=all]"
    said = Message(hostile) + hostile
    assert said.to_array() == [{"type": "text", "data": {"text": hostile}}] * 2
    assert said.text == hostile * 2
    assert said.to_cq() == "&#91;CQ:at,qq=all&#93;" * 2


def test_strings_in_an_array_are_text() -> None:
    assert Message.parse(["[CQ:at,qq=all]"]) == Message("[CQ:at,qq=all]")


def test_messages_are_added_from_both_sides() -> None:
    assert At(1) + " hi" == Message(At(1), " hi")
    assert "hi " + At(1) == Message("hi ", At(1))
    assert "a" + Message("b") + Face(3) + Message("c", "") == Message("a", "b", Face(3), "c")
    assert At(1) + At(2) == Message(At(1), At(2))


def test_only_what_can_be_said_can_be_added() -> None:
    with pytest.raises(TypeError, match="not int"):
        Message(3)  # type: ignore[arg-type]


def test_message_is_a_sequence_of_segments() -> None:
    said = Message("a", At(1), "b")
    assert len(said) == 3
    assert said[1] == At(1)
    assert said[1:] == Message(At(1), "b")
    assert list(said) == [Text("a"), At(1), Text("b")]
    assert At(1) in said
    assert not Message()
    assert said.text == "ab"


def test_messages_and_segments_cannot_be_changed() -> None:
    for value in (Message("a"), At(1)):
        with pytest.raises(AttributeError):
            value.type = "x"
        with pytest.raises((AttributeError, TypeError)):
            del value._segments  # type: ignore[union-attr]
    with pytest.raises(TypeError):
        At(1).data["qq"] = "2"  # type: ignore[index]


def test_changing_the_array_form_leaves_the_message_as_it_was() -> None:
    said = Message(At(1))
    said.to_array()[0]["data"]["qq"] = "2"
    assert said == Message(At(1))


def test_equal_messages_have_equal_hashes() -> None:
    one, other = Message("a", At(1)), Message.parse([Text("a").to_dict(), At(1).to_dict()])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Message("a")
    assert one != "a"
    assert At(1) != "at"


@pytest.mark.parametrize(
    ("segment", "type", "data"),
    [
        (Text("hi"), "text", {"text": "hi"}),
        (At(123), "at", {"qq": "123"}),
        (At("all"), "at", {"qq": "all"}),
        (Face(14), "face", {"id": "14"}),
        (Image("https://x/y.png"), "image", {"file": "https://x/y.png"}),
        (Image(b"\x00\x01"), "image", {"file": "base64://AAE="}),
        (Record(Path("/dev/null")), "record", {"file": "base64://"}),
        (Video("v.mp4", cover="c.jpg"), "video", {"file": "v.mp4", "cover": "c.jpg"}),
        (File("f.zip", name="g.zip"), "file", {"file": "f.zip", "name": "g.zip"}),
        (Reply(-5), "reply", {"id": "-5"}),
        (Forward("abc"), "forward", {"id": "abc"}),
        (Json({"a": [1]}), "json", {"data": '{"a":[1]}'}),
        (Json('{"a": 1}'), "json", {"data": '{"a": 1}'}),
        (Raw("dice"), "dice", {}),
        (
            Node(1, "bob", "hi"),
            "node",
            {"user_id": "1", "nickname": "bob", "content": [{"type": "text", "data": {"text": "hi"}}]},
        ),
    ],
)
def test_segments_have_the_fields_of_the_specification(segment: Segment, type: str, data: dict[str, Any]) -> None:
    assert segment.to_dict() == {"type": type, "data": data}
    assert Message.parse([segment.to_dict()])[0] == segment


def test_parsed_segments_know_their_kind_and_fields() -> None:
    array = [
        {"type": "reply", "data": {"id": 5, "qq": 7}},
        {"type": "at", "data": {"qq": 123}},
        {"type": "image", "data": {"file": "a.png", "url": "http://x/a.png"}},
        {"type": "node", "data": {"uin": 9, "name": "bob", "content": "a[CQ:face,id=1]"}},
        {"type": "mface", "data": {"key": 1}},
    ]
    said = Message.parse(array)
    reply, at, image, node, other = said
    assert isinstance(reply, Reply)
    assert (reply.id, reply.author) == ("5", "7")
    assert isinstance(at, At)
    assert at.user_id == "123"
    assert isinstance(image, Image)
    assert (image.file, image.url) == ("a.png", "http://x/a.png")
    assert isinstance(node, Node)
    assert (node.user_id, node.nickname, node.content) == ("9", "bob", "a" + Face(1))
    assert isinstance(other, Raw)
    assert other.type == "mface"
    assert said.to_array() == array  # numbers stay numbers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, Message()),
        (5, Message()),
        ("", Message()),
        ([], Message()),
        ({"type": "text", "data": {"text": "hi"}}, Message("hi")),
        ([{"type": "face"}], Message(Raw("face"))),
        ([{"type": "face", "data": "junk"}], Message(Raw("face"))),
        ([{"type": 5, "data": {}}, {}, None, 3, ["x"]], Message()),
        ([{"type": "text", "data": {"text": None}}], Message(Raw("text", {"text": None}))),
    ],
)
def test_odd_messages_are_read_without_an_error(given: object, expected: Message) -> None:
    assert Message.parse(given) == expected
    assert isinstance(Message.parse(given).text, str)


def test_a_message_is_shown_as_cq() -> None:
    assert str(At(1) + " & [x]") == "[CQ:at,qq=1] &amp; &#91;x&#93;"
    assert "At" in repr(Message(At(1)))
