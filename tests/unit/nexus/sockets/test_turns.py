"""Messages of socket workers whose turn has not come."""

from __future__ import annotations

import json

import pytest

from botmatrix.bus.hot_values import RateLimits
from botmatrix.nexus.sockets import turns as module
from botmatrix.nexus.sockets.asker import Question
from botmatrix.nexus.sockets.turns import Turns


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class Room:
    """Turns, and what was sent: target and number."""

    def __init__(self, **limits: int) -> None:
        self.clock, self.sent = Clock(), list[tuple[int, int]]()
        self.turns = Turns(self.clock, self._send)
        self.limit(**limits)

    def limit(self, **limits: int) -> None:
        self.turns.pace.adjust(RateLimits(**limits, exceptions={}))

    def say(self, user: int, number: int, action: str = "send_msg") -> None:
        params = json.dumps({"user_id": user, "message": number}).encode()
        question = Question("qq:1", action, params, lambda *_: None, "")
        if self.turns.must_wait(question):
            self.turns.add(question)
        else:
            self._send(question)

    def later(self, seconds: float) -> list[tuple[int, int]]:
        """What is sent so many seconds later."""
        self.sent.clear()
        self.clock.at += seconds
        self.turns.admit()
        return list(self.sent)

    def _send(self, question: Question) -> None:
        params = json.loads(question.params)
        self.sent.append((params["user_id"], params["message"]))


def test_without_limits_nothing_waits() -> None:
    room = Room()
    for number in range(3):
        room.say(7, number)
    assert [number for _, number in room.sent] == [0, 1, 2]


def test_a_target_hears_its_messages_in_order_and_in_time_and_others_are_not_held_up() -> None:
    room = Room(send_target_per_min=60)
    for number in range(3):
        room.say(7, number)
    room.say(8, 9)
    assert room.sent == [(7, 0), (8, 9)]
    assert room.later(0.5) == []
    assert room.later(0.6) == [(7, 1)]
    assert room.later(1.1) == [(7, 2)]


def test_only_messages_have_turns() -> None:
    room = Room(send_bot_per_min=1)
    room.say(7, 0)
    room.say(7, 1)
    room.say(7, 2, "get_stranger_info")
    assert room.sent == [(7, 0), (7, 2)]


def test_the_targets_of_a_bot_take_turns() -> None:
    room = Room(send_bot_per_min=60)
    for user in (7, 8):
        for number in range(3):
            room.say(user, number)
    assert [room.later(1.1) for _ in range(5)] == [[(7, 1)], [(8, 0)], [(7, 2)], [(8, 1)], [(8, 2)]]


def test_when_the_limit_is_lifted_everything_leaves_in_order() -> None:
    room = Room(send_bot_per_min=1)
    for number in range(5):
        room.say(7, number)
    room.limit()
    assert room.later(0.1) == [(7, number) for number in range(1, 5)]
    assert room.turns.waiting == 0


def test_so_many_may_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    room = Room(send_bot_per_min=1)
    for number in range(3):
        room.say(7, number)
    assert room.turns.is_full
