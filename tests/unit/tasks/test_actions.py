"""What tasks do: checked at the border, filled in from the event, said in OneBot's words."""

from __future__ import annotations

from typing import Any

import pytest

from botmatrix.tasks.actions import Facts, Place, checked, filled, needs_event, request
from botmatrix.tasks.model import ActionType, BadTask

SAY, MUTE, UNMUTE = ActionType.SEND_MESSAGE, ActionType.MUTE_GROUP, ActionType.UNMUTE_GROUP
SKILL = ActionType.SKILL_CALL
PLAIN, EVENT, TAGS = Place(), Place(of_event=True), Place(of_tags=True)
HEARD = Facts("qq:1", "77", "5", "卖广告")


@pytest.mark.parametrize(
    ("action", "params", "said", "wanted"),
    [
        (SAY, {"bot_id": 1, "group_id": 77, "message": "a"}, "send_group_msg", {"group_id": 77, "message": "a"}),
        (SAY, {"bot_id": "1", "user_id": "5", "message": "a"}, "send_private_msg", {"user_id": 5, "message": "a"}),
        (SAY, {"bot_id": "KOOK:1", "group_id": "x-1", "message": "a"}, "send_group_msg", {"group_id": "x-1"}),
        (MUTE, {"bot_id": 1, "group_id": 7, "user_id": 5}, "set_group_ban", {"user_id": 5, "duration": 1800}),
        (MUTE, {"bot_id": 1, "group_id": 7, "user_id": 5, "duration": 60}, "set_group_ban", {"duration": 60}),
        (MUTE, {"bot_id": 1, "group_id": 7}, "set_group_whole_ban", {"group_id": 7, "enable": True}),
        (UNMUTE, {"bot_id": 1, "group_id": 7, "user_id": ""}, "set_group_whole_ban", {"group_id": 7, "enable": False}),
        (UNMUTE, {"bot_id": 1, "group_id": 7, "user_id": 5}, "set_group_ban", {"user_id": 5, "duration": 0}),
    ],
)
def test_actions_are_said_in_onebots_words(
    action: ActionType, params: dict[str, Any], said: str, wanted: dict[str, Any]
) -> None:
    word, given = request(action, checked(action, params, PLAIN))
    assert word == said
    assert given.items() >= wanted.items()


@pytest.mark.parametrize(
    ("action", "params", "wanted"),
    [
        (SAY, {"message": "x"}, ("send_group_msg", {"group_id": 77, "message": "x"})),
        (SAY, {"message": "@{user_id}", "user_id": "{user_id}"}, ("send_private_msg", {"user_id": 5, "message": "@5"})),
        (SAY, {"message": "x", "group_id": 8}, ("send_group_msg", {"group_id": 8, "message": "x"})),
        (MUTE, {"user_id": "{user_id}"}, ("set_group_ban", {"group_id": 77, "user_id": 5, "duration": 1800})),
        (UNMUTE, {"group_id": "{group_id}"}, ("set_group_whole_ban", {"group_id": 77, "enable": False})),
    ],
)
def test_what_is_not_said_comes_from_the_event(
    action: ActionType, params: dict[str, Any], wanted: tuple[str, dict[str, Any]]
) -> None:
    done = filled(action, checked(action, params, EVENT), HEARD, EVENT)
    assert (done["bot_id"], request(action, done)) == ("qq:1", wanted)


def test_in_private_the_answer_goes_to_the_person_and_nobody_is_muted() -> None:
    alone = Facts("qq:1", "", "5", "hi")
    assert request(SAY, filled(SAY, checked(SAY, {"message": "x"}, EVENT), alone, EVENT))[1]["user_id"] == 5
    with pytest.raises(BadTask, match="in no group"):
        request(MUTE, filled(MUTE, checked(MUTE, {}, EVENT), alone, EVENT))
    with pytest.raises(BadTask, match="nobody"):
        request(SAY, filled(SAY, checked(SAY, {"message": "x"}, EVENT), Facts("qq:1"), EVENT))


def test_what_somebody_says_or_is_called_is_not_read_as_code() -> None:
    evil = Facts("qq:1", "77", "[CQ:at,qq=all]{text}", "{user_id}")
    said = filled(SAY, {"bot_id": "{bot_id}", "message": "hi {user_id} {text}"}, evil, EVENT)
    assert said["message"] == "hi &#91;CQ:at,qq=all&#93;{text} {text}"
    parts = [{"type": "text", "data": {"text": "hi {user_id}"}}]
    said = filled(SAY, {"bot_id": "{bot_id}", "message": parts}, evil, EVENT)
    assert said["message"][0]["data"]["text"] == "hi [CQ:at,qq=all]{text}"
    call = filled(SKILL, {"skill": "s", "who": ["{user_id}", 5], "said": "{text}"}, evil, EVENT)
    assert call == {"skill": "s", "who": ["[CQ:at,qq=all]{text}", 5], "said": "{user_id}"}


@pytest.mark.parametrize(
    ("params", "needs"),
    [
        ({"message": "a"}, True),
        ({"message": "a", "bot_id": 1}, True),
        ({"message": "a", "bot_id": 1, "group_id": 2}, False),
        ({"message": "a {user_id}", "bot_id": 1, "group_id": 2}, True),
    ],
)
def test_whether_it_can_be_done_without_an_event(params: dict[str, Any], needs: bool) -> None:
    assert needs_event(SAY, checked(SAY, params, EVENT), EVENT) is needs
    assert not needs_event(SAY, {"message": "{user_id}"}, PLAIN)


@pytest.mark.parametrize(
    ("action", "params", "place"),
    [
        (SAY, {"group_id": 7, "message": "a"}, PLAIN),
        (SAY, {"bot_id": "{bot_id}x", "group_id": "{group_id}", "message": "a"}, PLAIN),
        (SAY, {"bot_id": 1, "message": "a"}, PLAIN),
        (SAY, {"bot_id": 1, "group_id": 7}, PLAIN),
        (SAY, {"bot_id": 1, "group_id": 7, "message": ["a"]}, PLAIN),
        (SAY, {"bot_id": 1, "group_id": 7, "message": []}, PLAIN),
        (SAY, {"bot_id": 1, "group_id": 7, "message": [{"type": "text", "data": "a"}]}, PLAIN),
        (SAY, {"bot_id": 1, "group_id": 7, "message": "a" * 10_001}, PLAIN),
        (SAY, {"bot_id": 1, "group_id": 7, "message": "a"}, TAGS),
        (SAY, {"message": "a"}, Place(of_event=True, of_tags=True)),
        (MUTE, {"bot_id": 1}, PLAIN),
        (MUTE, {"bot_id": 1, "group_id": 7, "duration": True}, PLAIN),
        (MUTE, {"bot_id": 1, "group_id": 7, "message": "a"}, PLAIN),
        (SKILL, {"skill": 5}, PLAIN),
        (SKILL, {"skill": "a"}, TAGS),
    ],
)
def test_what_can_not_be_done_is_refused(action: ActionType, params: dict[str, Any], place: Place) -> None:
    with pytest.raises(BadTask):
        checked(action, params, place)
