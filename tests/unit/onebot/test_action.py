"""Actions as frames."""

from __future__ import annotations

import json

import pytest

from botmatrix.onebot.action import request_frame


def test_request_keeps_its_params_byte_for_byte() -> None:
    frame = request_frame("send_msg", b'{"user_id":1,  "x":9223372036854775807}', "ab.1")
    assert frame == b'{"action":"send_msg","params":{"user_id":1,  "x":9223372036854775807},"echo":"ab.1"}'


def test_request_without_params_has_empty_ones() -> None:
    assert json.loads(request_frame("get_status", b"", "e")) == {"action": "get_status", "params": {}, "echo": "e"}


@pytest.mark.parametrize("action", ['a"b', "a\\b", ".handle_quick_operation_async", "动作", "a\nb"])
def test_action_names_are_quoted(action: str) -> None:
    assert json.loads(request_frame(action, b"{}", "e"))["action"] == action
