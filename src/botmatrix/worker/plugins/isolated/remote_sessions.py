"""Sessions for a plugin in a process of its own: kept by the worker, asked for through the protocol."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

import msgspec

from botmatrix.bus.keys import Keys
from botmatrix.bus.memory import Heard, Memory
from botmatrix.bus.sessions import Names, SessionBox, State, StateTooLarge
from botmatrix.errors import EngineUnavailable
from botmatrix.worker.plugins.isolated.sessions import UNAVAILABLE
from botmatrix.worker.plugins.turns import Turns

TRIES: Final = 100

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Have the worker do something: the payload of its answer."""


class RemoteMemory(Memory):
    """The worker notes what is heard; here it is only said whether that is wanted."""

    def __init__(self) -> None:
        self._wanted = 0

    @property
    def wanted(self) -> bool:
        """Nothing is noted here."""
        return False


class RemoteSessions(SessionBox):
    """Those of the event that is handled. Raises as its base does."""

    def __init__(self, ask: Ask) -> None:
        self._ask, self.keys, self.memory = ask, Keys(), RemoteMemory()
        self._turns = Turns()

    async def read(self, names: Names) -> State:
        """The state; empty when there is none."""
        return cast("State", await self._do("session.read", {"of": names.state}))

    async def change(self, names: Names, change: Callable[[State], object], lives: Mapping[str, float | None]) -> None:
        """Change the state in one step, again with a fresh one when another process was quicker."""
        async with self._turns.of(names.state):
            await self._change(names, change, lives)

    async def history(self, names: Names) -> list[Heard]:
        """The messages, oldest first."""
        return msgspec.convert(await self._do("session.history", {"of": names.state}), list[Heard])

    async def delete(self, names: Names) -> int:
        """Delete state and context; how many of them there were."""
        return int(await self._do("session.forget", {"of": names.state}))

    async def close(self) -> None:
        """Nothing is open."""

    async def _change(self, names: Names, change: Callable[[State], object], lives: Mapping[str, float | None]) -> None:
        seen = await self.read(names)
        for _ in range(TRIES):
            state = copy.deepcopy(seen)
            change(state)
            told = {"of": names.state, "seen": seen, "state": state, "lives": dict(lives)}
            newer = await self._do("session.change", told)
            if newer is None:
                return
            seen = newer
        raise TimeoutError("the session is being changed by others without a pause")

    async def _do(self, action: str, params: Mapping[str, Any]) -> Any:
        told = await self._ask(action, params)
        if told["ok"]:
            return told["data"]
        if told.get("retcode") == UNAVAILABLE:
            raise EngineUnavailable("Redis", told["error"])
        raise StateTooLarge(told["error"])
