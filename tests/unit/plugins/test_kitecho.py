"""The example plugin that answers the words of the test kit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.plugins.fakes import Platform, Room

from botmatrix.errors import ActionFailed
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.source import Source

FILE = Path(__file__).resolve().parents[3] / "examples/plugins/kitecho.py"


@pytest.fixture
async def room(platform: Platform, host: Host) -> Room:
    info = await host.load(Source("file", "kitecho", FILE))
    assert not info.error
    platform.answers["get_login_info"] = {"user_id": 10001, "nickname": "bot10001"}
    platform.answers["get_group_list"] = [{"group_id": 100011}, {"group_id": 100012}]
    platform.answers["no_such_action"] = ActionFailed(1404)
    return Room(platform, host)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("ping 10001-7", "pong 10001-7"),
        ("whoami t1", "iam t1 10001 bot10001"),
        ("groups t2", "groups t2 2 100011"),
        ("boom t3", "failed t3 1404"),
        (" ping a b ", "pong a b"),
        ("ping a\nb", "pong a\nb"),
        ("ping", "pong "),
    ],
)
async def test_kit_words_are_answered(room: Room, said: str, answer: str) -> None:
    assert await room.say(said) == [answer]


async def test_other_words_are_not(room: Room) -> None:
    for said in ("pings x", "hello", "/ping x"):
        assert await room.say(said) == []
