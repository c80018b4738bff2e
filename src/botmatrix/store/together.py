"""Many small statements of many requests as one: what is asked while one is under way goes with the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from botmatrix.errors import EngineUnavailable

MOST = 200
"""Of one statement."""
PAUSE = 0.003
"""Seconds between two statements while many ask: fewer and larger ones leave the processor to the rest."""

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """Calls `work` with several things at once; it gives a result for each, and does all of them or none.

    Who asks alone does not wait for others.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, thing: T) -> R:
        """The result for one thing. Raises what `work` raises for it."""
        asked: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((thing, asked))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="together")
        return await asked

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            await self._do(batch)
            await rest_after(len(batch))

    async def _do(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            found = await self._work([thing for thing, _ in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, EngineUnavailable):
                _fail([asked for _, asked in batch], error)
                return
            for one in batch:  # one of them can't be done, and the others must not suffer for it
                await self._do([one])
            return
        for (_, asked), result in zip(batch, found, strict=True):
            if not asked.done():
                asked.set_result(result)


async def rest_after(count: int) -> None:
    """Let more come before the next statement, when there was more than one thing in the last."""
    if count > 1:
        await asyncio.sleep(PAUSE)


def _fail(asked: Sequence[asyncio.Future[R]], error: Exception) -> None:
    for one in asked:
        if not one.done():
            one.set_exception(error)
