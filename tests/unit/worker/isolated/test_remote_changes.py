"""What a plugin in a process of its own changes, while others change it too."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from botmatrix.bus.sessions import Names, State
from botmatrix.worker.plugins.isolated.remote_sessions import TRIES, RemoteSessions
from botmatrix.worker.plugins.isolated.remote_values import RemoteValues

NAMES = Names("context", "state")


class Worker:
    """Keeps one value (`[]`: none) and one session; somebody in another process adds to it `others` times."""

    def __init__(self, others: int = 0) -> None:
        self.value: list[int] = []
        self.state: State = {}
        self.asked, self._others = 0, others

    async def ask(self, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """What the worker answers to the process."""
        self.asked += 1
        await asyncio.sleep(0)
        told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(params))
        is_value = name.startswith("values.")
        data: object = None
        if name.endswith(("get", "read")):
            data = self.value if is_value else self.state
        elif told["seen"] != (self.value if is_value else self.state):
            data = self.value if is_value else self.state
        elif is_value:
            self.value = told["value"]
        else:
            self.state = told["state"]
        answer = {"ok": True, "data": data}
        if self._others:
            self._others -= 1
            self.value, self.state = [sum(self.value) + 100], {"n": self.state.get("n", 0) + 100}
        return answer


def add(state: State) -> None:
    state["n"] = state.get("n", 0) + 1


def added(found: str | None) -> str:
    return str(int(found or 0) + 1)


async def test_changes_of_one_process_do_not_get_in_each_others_way() -> None:
    worker = Worker()
    values, sessions = RemoteValues(worker.ask), RemoteSessions(worker.ask)
    await asyncio.gather(
        *(values.change("mine", "n", added) for _ in range(10)), *(sessions.change(NAMES, add, {}) for _ in range(10))
    )
    assert (worker.value, worker.state) == ([10], {"n": 10})
    assert worker.asked == 2 * (10 + 10), "each looked and changed once"


async def test_a_change_goes_on_from_what_another_process_made_of_it() -> None:
    worker = Worker(others=3)
    assert await RemoteValues(worker.ask).change("mine", "n", added) == "301"
    worker = Worker(others=3)
    await RemoteSessions(worker.ask).change(NAMES, add, {})
    assert worker.state == {"n": 301}


async def test_what_is_changed_without_a_pause_is_given_up() -> None:
    worker = Worker(others=2 * TRIES)
    with pytest.raises(TimeoutError, match="without a pause"):
        await RemoteValues(worker.ask).change("mine", "n", added)
    worker = Worker(others=2 * TRIES)
    with pytest.raises(TimeoutError, match="without a pause"):
        await RemoteSessions(worker.ask).change(NAMES, add, {})
    assert worker.asked == TRIES + 1
