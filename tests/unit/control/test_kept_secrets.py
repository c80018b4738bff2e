"""Bots to dial that come back as they were shown."""

from __future__ import annotations

from typing import Any

from botmatrix.config import BotServer, HttpBot, Secret
from botmatrix.control.kept_secrets import with_kept

SOCKET = BotServer(url="ws://user:inside@host:1", token=Secret("t1"))
HTTP = HttpBot(http="http://host:2", self_id="5", token=Secret("t2"), secret=Secret("s2"))


def kept(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = with_kept({"bots": list(entries)}, [SOCKET, HTTP])["bots"]
    return found


def test_what_comes_back_as_it_was_shown_keeps_its_secrets() -> None:
    assert kept({"url": "ws://user:***@host:1", "platform": "wx"}) == [
        {"url": "ws://user:inside@host:1", "token": "t1", "platform": "wx"}
    ]
    assert kept({"http": "http://host:2", "self_id": "6"}) == [
        {"http": "http://host:2", "self_id": "6", "token": "t2", "secret": "s2"}
    ]


def test_a_new_secret_takes_the_place_of_the_old_one() -> None:
    assert kept({"url": "ws://user:***@host:1", "token": ""})[0]["token"] == ""
    assert kept({"http": "http://host:2", "self_id": "5", "secret": "new"})[0]["secret"] == "new"


def test_other_entries_and_other_keys_are_left_as_they_are() -> None:
    new = {"url": "ws://elsewhere:1"}
    assert kept(new) == [new]
    odd: dict[str, Any] = {"bots": "nonsense", "log_level": "debug"}
    assert with_kept(odd, [SOCKET]) == odd
    assert with_kept({"bots": [7, None]}, [SOCKET]) == {"bots": [7, None]}
