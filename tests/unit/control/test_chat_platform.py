"""The simulated platform: what its people can say, and what its bot is told."""

from __future__ import annotations

from typing import Any

import pytest

from botmatrix.control.chat.cast import Cast, cast_of, is_simulated
from botmatrix.control.chat.platform import LARGEST_IMAGE, BadSaying, Part, Saying, SimulatedPlatform

CAST = cast_of(1)
ANN, *_ = CAST.people
ROOM, *_ = CAST.groups


class Played:
    """A platform, and what those who watch were told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self._platform = SimulatedPlatform(CAST, self.told.append)

    def say(self, *parts: Part, user: int = ANN, group: int = 0) -> dict[str, Any]:
        return self._platform.say(Saying(user, list(parts), group, "k1"), 1000.5)

    def ask(self, action: str, **params: Any) -> dict[str, Any]:
        return self._platform.perform({"action": action, "params": params, "echo": 7}, 1000.5)


def text(words: str) -> Part:
    return Part("text", {"text": words})


def test_users_of_the_console_share_nobody() -> None:
    casts = [cast_of(user) for user in range(1, 50)]
    numbers = [number for cast in casts for number in (cast.bot, *cast.people, *cast.groups)]
    assert len(set(numbers)) == len(numbers)
    assert cast_of(7) == cast_of(7)
    assert CAST.key == f"sim:{CAST.bot}"
    assert is_simulated(CAST.key)
    assert not is_simulated("qq:10001")


def test_a_person_says_something_in_a_group() -> None:
    played = Played()
    event = played.say(Part("at", {"qq": str(CAST.bot)}), text(" hi [there]"), group=ROOM)
    assert event["message_type"] == "group"
    assert (event["self_id"], event["user_id"], event["group_id"]) == (CAST.bot, ANN, ROOM)
    assert event["raw_message"] == f"[CQ:at,qq={CAST.bot}] hi &#91;there&#93;"
    assert played.told == [{"type": "heard", "key": "k1", "message_id": event["message_id"]}]
    assert played.ask("get_msg", message_id=event["message_id"])["data"] == event


@pytest.mark.parametrize(
    ("parts", "user", "group"),
    [
        ([text("hi")], 20002, 0),
        ([text("hi")], ANN, 456),
        ([text("hi")], CAST.bot, 0),
        ([], ANN, 0),
        ([text("")], ANN, 0),
        ([text("x" * 4001)], ANN, 0),
        ([Part("at", {"qq": "10001"})], ANN, ROOM),
        ([Part("image", {"file": "https://evil.example/x.png"})], ANN, 0),
        ([Part("image", {"file": "file:///etc/passwd"})], ANN, 0),
        ([Part("image", {"file": "base64://" + "A" * LARGEST_IMAGE})], ANN, 0),
    ],
)
def test_what_makes_no_sense_is_refused_and_no_event(parts: list[Part], user: int, group: int) -> None:
    played = Played()
    with pytest.raises(BadSaying):
        played.say(*parts, user=user, group=group)
    assert played.told == []


def test_a_segment_carries_only_what_its_kind_has() -> None:
    event = Played().say(Part("text", {"text": "hi", "file": "file:///etc/passwd"}))
    assert event["message"] == [{"type": "text", "data": {"text": "hi"}}]


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("send_msg", {"message_type": "private", "user_id": ANN}),
        ("send_msg", {"user_id": str(ANN), "group_id": 0}),
        ("send_private_msg", {"user_id": ANN}),
        ("send_private_msg_async", {"user_id": ANN}),
    ],
)
def test_what_the_bot_says_is_shown_in_segments(action: str, params: dict[str, Any]) -> None:
    played = Played()
    answer = played.ask(action, message=f"[CQ:at,qq={ANN}]hello", **params)
    assert (answer["status"], answer["retcode"], answer["echo"]) == ("ok", 0, 7)
    (told,) = played.told
    assert (told["type"], told["user"], told["group"]) == ("said", ANN, 0)
    assert told["message"] == [{"type": "at", "data": {"qq": str(ANN)}}, {"type": "text", "data": {"text": "hello"}}]


@pytest.mark.parametrize(
    "params",
    [
        {"user_id": 20002, "message": "x"},
        {"group_id": 456, "message": "x"},
        {"user_id": True, "message": "x"},
        {"user_id": ANN, "message": ""},
        {"message": "x"},
    ],
)
def test_the_bot_reaches_nobody_who_is_not_there(params: dict[str, Any]) -> None:
    played = Played()
    assert played.ask("send_msg", **params)["status"] == "failed"
    assert played.told == []


def test_a_message_can_be_taken_back_once() -> None:
    played = Played()
    number = played.ask("send_group_msg", group_id=ROOM, message="oops")["data"]["message_id"]
    assert played.ask("delete_msg", message_id=number)["retcode"] == 0
    assert played.ask("delete_msg", message_id=number)["retcode"] == 1404
    assert [one.get("done") for one in played.told] == [None, True, False]


def test_what_would_change_a_real_group_is_shown_and_not_done() -> None:
    played = Played()
    assert played.ask("set_group_ban", group_id=ROOM, user_id=ANN)["status"] == "failed"
    params = {"group_id": ROOM, "user_id": ANN}
    assert played.told == [{"type": "did", "action": "set_group_ban", "params": params, "done": False}]


@pytest.mark.parametrize(
    ("action", "params", "found"),
    [
        ("get_login_info", {}, lambda data: data["user_id"] == CAST.bot),
        ("get_friend_list", {}, lambda data: len(data) == len(CAST.people)),
        ("get_group_list", {}, lambda data: [one["group_id"] for one in data] == list(CAST.groups)),
        ("get_group_info", {"group_id": ROOM}, lambda data: data["group_name"] == CAST.groups[ROOM]),
        ("get_group_member_list", {"group_id": str(ROOM)}, lambda data: len(data) == len(CAST.people) + 1),
        ("get_group_member_info", {"group_id": ROOM, "user_id": ANN}, lambda data: data["nickname"] == "Ann"),
        ("get_stranger_info", {"user_id": ANN}, lambda data: data["nickname"] == "Ann"),
        ("get_status", {}, lambda data: data["online"]),
        ("get_version_info", {}, lambda data: data["protocol_version"] == "v11"),
        ("can_send_image", {}, lambda data: data["yes"]),
        ("get_group_info", {"group_id": 456}, lambda data: data is None),
        ("get_stranger_info", {"user_id": "x"}, lambda data: data is None),
        ("get_group_member_info", {"group_id": 456, "user_id": ANN}, lambda data: data is None),
    ],
)
def test_the_bot_is_told_about_its_world(action: str, params: dict[str, Any], found: Any) -> None:
    answer = Played().ask(action, **params)
    assert found(answer["data"])
    assert (answer["status"] == "ok") is (answer["data"] is not None)


def test_a_frame_that_is_odd_gets_an_answer_all_the_same() -> None:
    platform = SimulatedPlatform(Cast(1, {}, {}), lambda _: None)
    assert platform.perform({"action": None, "params": [1]}, 0)["status"] == "failed"
