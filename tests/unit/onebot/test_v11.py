"""What the rarer frames of OneBot v11 say."""

from __future__ import annotations

import json

import pytest

from botmatrix.onebot.v11 import MAX_GROUPS, Meta, read_group_list, read_login_info, read_meta


def test_heartbeat_is_read() -> None:
    raw = b'{"meta_event_type":"heartbeat","interval":5000,"status":{"online":true,"good":true}}'
    assert read_meta(raw) == Meta("heartbeat", "", 5.0, True, "")


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        ({"online": False, "good": True}, False),
        ({"online": True, "good": False}, False),
        ({"online": None}, True),
        ({}, True),
        (None, True),
        ("ok", True),
    ],
)
def test_only_a_clear_no_is_unhealthy(status: object, healthy: bool) -> None:
    assert read_meta(json.dumps({"status": status}).encode()).healthy is healthy


@pytest.mark.parametrize("interval", [True, "5000", -1, 0, None, [], 10**18])
def test_interval_that_is_none_is_no_interval(interval: object) -> None:
    assert read_meta(json.dumps({"interval": interval}).encode()).interval == 0


def test_login_info_is_read() -> None:
    assert read_login_info(b'{"user_id":10001,"nickname":"N"}') == ("10001", "N")
    assert read_login_info(b'{"user_id":"u1"}') == ("u1", "")
    assert read_login_info(b'{"user_id":true,"nickname":5}') == ("", "")
    assert read_login_info(b"null") == read_login_info(b"[1]") == read_login_info(b"{") == ("", "")


def test_group_list_is_read_and_bounded() -> None:
    assert read_group_list(b'[{"group_id":1,"group_name":"one"},{"group_id":1.5},7,{}]') == {"1": "one"}
    assert read_group_list(b'{"group_id":1}') == read_group_list(b"null") == {}
    many = json.dumps([{"group_id": number} for number in range(MAX_GROUPS + 10)]).encode()
    assert len(read_group_list(many)) == MAX_GROUPS - 1  # group 0 is none
