"""What the worker gives to its plugins (`sdk.services.Services`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from botmatrix.bus.actions import ActionBox, ActionResult
from botmatrix.bus.client import ReplyError
from botmatrix.bus.envelope import ActionEntry
from botmatrix.clock import Clock
from botmatrix.config import Settings
from botmatrix.errors import EngineUnavailable

T = TypeVar("T")

ANSWER_LIMIT = 30.0
"""For how long (s) a bot's answer is waited for after the last moment at which the action may leave."""

SETTLING_LIMIT = 5.0
"""For how long (s) an action waits for the settlements before it: more means that Redis is away."""


class WorkerServices:
    """Actions before the acknowledgement, the settings and the clock.

    `settled`: until what has ended by now is settled. Each action waits for it, or it would overtake what an earlier
    event of its conversation sends with its settlement. Both raise `EngineUnavailable` when Redis is away or refuses
    (full memory, read-only disk): the event is tried again.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        box: ActionBox,
        status: Callable[[], Mapping[str, Any]],
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        self.worker_id = settings.worker_id
        self.settings, self.clock = settings, clock
        self._box, self._status, self._settled = box, status, settled

    async def call(self, entry: ActionEntry) -> ActionResult:
        """Enqueue once for its id and wait; what has no answer in time is still `QUEUED` or `SENT`."""
        left = max(0.0, entry.exp / 1000 - self.clock.now())
        return await self._in_turn(lambda: self._box.call(entry, timeout=left + ANSWER_LIMIT))

    async def post(self, entry: ActionEntry) -> str:
        """Enqueue once for its id; do not wait."""
        return await self._in_turn(lambda: self._box.post(entry))

    async def _in_turn(self, act: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(SETTLING_LIMIT):
                await self._settled()
        except TimeoutError as error:
            raise EngineUnavailable("Redis", "nothing can be settled") from error
        try:
            return await act()
        except ReplyError as error:
            raise EngineUnavailable("Redis", f"it refuses an action: {error}") from error

    def status(self) -> Mapping[str, Any]:
        """What the worker says of itself, for people."""
        return self._status()
