"""The questions of one event in an isolated plugin: put to a person, answered, or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from botmatrix.bus.envelope import Envelope
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.ask import TooManyQuestions
from botmatrix.sdk.context import Context
from botmatrix.sdk.said import hear
from botmatrix.sdk.services import Question, Services
from botmatrix.worker.plugins.isolated.broker import Refused
from botmatrix.worker.plugins.isolated.exchange import Pending

SECONDS, LONGEST = 30.0, 3600.0

Found = tuple[Envelope, dict[str, Any]] | None


class Questions:
    """One at a time. While one is open the process may say further things, and may end: `pending` hears of all."""

    def __init__(self, services: Services, ctx: Context, pending: Pending) -> None:
        self._services, self._ctx, self._pending = services, ctx, pending
        self._question: Question | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a person is waited for now."""
        return self._listening is not None and not self._listening.done()

    async def open(self) -> None:
        """Before the question leaves. Raises `Refused`, `EngineUnavailable`."""
        if self.waiting:
            raise Refused("this event has a question open already")
        try:
            self._question = await self._services.asking(self._ctx.trace_id, self._ctx.outbox.mark())
        except TooManyQuestions:
            raise Refused("too many questions are open") from None

    def wait(self, timeout: Any, tell: Callable[[Found], None]) -> None:
        """After it has left: `tell` gets the person's next message, or None when there is none in time."""
        question, self._question = self._question, None
        if question is None:
            raise Refused("no question is open")
        seconds = float(timeout) if isinstance(timeout, int | float) and timeout > 0 else SECONDS
        self._listening = asyncio.create_task(self._listen(question, min(seconds, LONGEST), tell), name="question")

    async def close(self) -> None:
        """Wait no more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self, question: Question, seconds: float, tell: Callable[[Found], None]) -> None:
        try:
            found = await question.answer(seconds)
        except EngineUnavailable as error:
            self._pending.put(error)
            return
        memory = self._services.sessions.memory
        if found is not None and memory.wanted:
            memory.note(*found, hear(found[1], found[0].bot.partition(":")[2]).text)
        tell(found)
        self._pending.poke()
