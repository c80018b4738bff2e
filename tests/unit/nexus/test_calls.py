"""The actions that wait for their answers."""

from __future__ import annotations

import msgspec

from botmatrix.nexus.calls import MAX_LATE, MAX_UNANSWERED, Calls
from botmatrix.onebot.action import ActionResponse

RESPONSE = ActionResponse("ok", 0, msgspec.Raw(b"null"), "", "", b"{}")


def test_each_waiter_is_called_exactly_once() -> None:
    calls, seen = Calls(), list[object]()
    calls.add("a", 10, seen.append)
    assert calls.answer("a", RESPONSE)
    assert not calls.answer("a", RESPONSE)
    assert calls.expire(20) == 0
    assert calls.end() == 0
    assert seen == [RESPONSE]


def test_waiters_expire_at_their_own_time() -> None:
    calls, seen = Calls(), list[str]()
    for name, deadline in (("late", 30.0), ("soon", 10.0), ("next", 20.0)):
        calls.add(name, deadline, lambda _, name=name: seen.append(name))  # type: ignore[misc]
    assert calls.expire(9.9) == 0
    assert calls.expire(10) == 1
    assert calls.expire(25) == 1
    assert seen == ["soon", "next"]
    assert calls.end() == 1
    assert seen == ["soon", "next", "late"]


def test_late_answer_is_handed_over_once_and_only_some_are_remembered() -> None:
    calls, seen = Calls(), list[object]()
    for number in range(MAX_LATE + 10):
        calls.add(str(number), 1, seen.append)
    calls.expire(2)
    assert not calls.answer_late("9", RESPONSE)
    assert calls.answer_late("10", RESPONSE)
    assert not calls.answer_late("10", RESPONSE)
    assert not calls.answer_late("never asked", RESPONSE)
    assert seen[-2:] == [None, RESPONSE]


def test_waiter_that_raises_does_not_keep_the_others_waiting() -> None:
    calls, seen = Calls(), list[object]()

    def fail(_: object) -> None:
        raise ValueError("plugin")

    calls.add("a", 1, fail)
    calls.add("b", 1, seen.append)
    assert calls.expire(2) == 2
    assert seen == [None]


def test_waiter_may_call_again_while_the_link_ends() -> None:
    calls, seen = Calls(), list[object]()
    calls.add("a", 1, lambda _: calls.add("b", 2, seen.append))
    calls.end()
    assert len(calls) == 1
    calls.end()
    assert seen == [None]


def test_calls_are_bounded() -> None:
    calls = Calls()
    for number in range(MAX_UNANSWERED):
        assert not calls.is_full
        calls.add(str(number), 1, lambda _: None)
    assert calls.is_full
