"""What was said, to whom."""

from __future__ import annotations

from typing import Any

import pytest

from botmatrix.onebot.message import At, Face, Message, Reply
from botmatrix.sdk.said import hear

ME = "10001"


def heard(message: Any, kind: str = "group") -> tuple[str, str, int, bool, bool, str]:
    said = hear({"message": message, "message_type": kind}, ME)
    return said.head, said.text, len(said.tail), said.addressed, said.to_me, said.quoted


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("hi", ("hi", "hi", 0, False, False, "")),
        (" hi ", ("hi ", "hi", 0, False, False, "")),
        ("a&#91;b", ("a[b", "a[b", 0, False, False, "")),
        ([{"type": "text", "data": {"text": "hi"}}], ("hi", "hi", 0, False, False, "")),
        (None, ("", "", 0, False, False, "")),
        ([], ("", "", 0, False, False, "")),
        ([{"type": "text"}], ("", "", 0, False, False, "")),
        ("[CQ:at,qq=10001] hi", ("hi", "hi", 0, True, True, "")),
        ("hi [CQ:at,qq=10001]", ("hi ", "hi", 1, False, True, "")),
        ("[CQ:at,qq=5] hi", ("", "hi", 2, False, False, "")),
        ("[CQ:face,id=1]hi", ("", "hi", 2, False, False, "")),
        ("[CQ:reply,id=3]hi", ("hi", "hi", 0, False, False, "3")),
        ("[CQ:reply,id=3] [CQ:at,qq=10001] hi", ("hi", "hi", 0, True, True, "3")),
        ("[CQ:reply,id=3,qq=10001]hi", ("hi", "hi", 0, True, True, "3")),
        ("[CQ:at,qq=10001]", ("", "", 0, True, True, "")),
    ],
)
def test_quotes_and_ats_of_the_bot_are_taken_off_the_head(message: Any, expected: object) -> None:
    assert heard(message) == expected


def test_both_wire_forms_are_heard_alike() -> None:
    said = Reply(3) + At(ME) + " hi" + Face(1)
    assert heard(said.to_array()) == heard(said.to_cq()) == ("hi", "hi", 1, True, True, "3")
    assert Message.parse(said.to_cq()) == said


def test_in_private_everything_is_said_to_the_bot() -> None:
    assert heard("hi", "private") == ("hi", "hi", 0, False, True, "")
