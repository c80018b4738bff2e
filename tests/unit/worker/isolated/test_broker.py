"""What an isolated plugin may do."""

from __future__ import annotations

from typing import Any

import pytest

from botmatrix.worker.plugins.isolated.broker import Broker, Here, Refused
from botmatrix.worker.plugins.isolated.lines import Action

HERE = Here("qq:10001", "123", "456", numeric=True)
TEXT = [{"type": "text", "data": {"text": "hi"}}]


def act(type: str, target: str = "", target_id: str = "", text: str = "hi", **params: Any) -> Action:
    return Action(type, target, target_id, text, "", params)


@pytest.mark.parametrize("name", ["send_message", "reply", "send_msg", "send_group_msg"])
def test_answering_where_it_happened_needs_no_grant(name: str) -> None:
    there = {"message_type": "group", "group_id": 456, "message": TEXT}
    assert Broker([]).translated(act(name, "123", "456"), HERE) == ("send_msg", there)
    private = HERE._replace(group_id="")
    there = {"message_type": "private", "user_id": 123, "message": TEXT}
    assert Broker([]).translated(act("reply", "123"), private) == ("send_msg", there)


@pytest.mark.parametrize(
    "action",
    [
        act("send_message", "123", "999"),
        act("send_message", "123"),  # in private, though it was said in a group
        act("send_private_msg", "5", "456"),
        act("send_msg", "123", "456", message_type="private"),
        act("send_message", "123", "456", group_id="999"),
        act("send_message", ""),
        act("kick_user", "5", "456"),
        act("set_restart"),
        act(".handle_quick_operation"),
        act("set_group_kick_async", "5", "456"),
        act("reply", "123", "456", self_id="10002"),
        act("reply", "123", "456", platform="telegram"),
        act("reply", "123", "456", text=""),
        act("send_image", "123", "456", text=""),
    ],
)
def test_nothing_else_is_done_without(action: Action) -> None:
    with pytest.raises(Refused):
        Broker([]).translated(action, HERE)


def test_ids_are_written_as_the_bot_writes_them() -> None:
    done = Broker(["set_group_kick"]).translated(act("kick_user", "5", "456", text="", reject=True), HERE)
    assert done == ("set_group_kick", {"user_id": 5, "group_id": 456, "reject": True})
    texts = HERE._replace(numeric=False)
    assert Broker(["*"]).translated(act("get_msg", message_id="7"), texts) == ("get_msg", {"message_id": "7"})


def test_a_grant_counts_by_either_name_and_never_more_than_both_agree() -> None:
    assert Broker(["kick_user"]).allows("set_group_kick")
    assert Broker(["send_message"]).allows("send_private_msg")
    assert Broker(["*"], ["delete_msg"]).allows("delete_message")
    assert not Broker(["*"], ["delete_msg"]).allows("kick_user")
    assert Broker(["kick_user"], ["*"]).allows("kick_user")
    assert not Broker(["kick_user"], ["*"]).allows("delete_msg")
    assert not Broker(["kick_user"], []).allows("kick_user")


def test_segments_are_passed_on_and_text_stays_text() -> None:
    segments = [{"type": "face", "data": {"id": "14"}}]
    _, params = Broker([]).translated(act("reply", "123", "456", text="", message=segments), HERE)
    assert params["message"] == segments
    _, params = Broker([]).translated(act("reply", "123", "456", text="[CQ:at,qq=all]"), HERE)
    assert params["message"] == [{"type": "text", "data": {"text": "[CQ:at,qq=all]"}}]
    _, params = Broker([]).translated(act("send_image", "123", "456", text="", url="https://e.org/a.png"), HERE)
    assert params["message"] == [{"type": "image", "data": {"file": "https://e.org/a.png"}}]
