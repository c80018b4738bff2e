"""The chats of one control process: each user has one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from botmatrix.control.chat.chat import SUPERSEDED, Ended

MOST: Final = 50


class Chats:
    """Who is in a chat."""

    def __init__(self) -> None:
        self._holders: dict[int, asyncio.Task[None]] = {}
        self._leaving: dict[int, asyncio.Event] = {}

    @property
    def full(self) -> bool:
        """Whether nobody else can begin one."""
        return len(self._holders) >= MOST

    @contextlib.asynccontextmanager
    async def place(self, user_id: int) -> AsyncIterator[None]:
        """The user's place: an older chat of theirs ends, and then this one begins. Raises `Ended` in the older one."""
        task, former = asyncio.current_task(), self._holders.get(user_id)
        assert task is not None  # noqa: S101 - we are in a coroutine
        self._holders[user_id], gone = task, self._leaving.get(user_id)
        left = self._leaving[user_id] = asyncio.Event()
        try:
            if former is not None and gone is not None:
                former.cancel()
                await gone.wait()
            yield
        except asyncio.CancelledError:
            if self._holders.get(user_id) is task:
                raise
            task.uncancel()
            raise Ended(SUPERSEDED, "the chat was opened in another window") from None
        finally:
            left.set()
            if self._holders.get(user_id) is task:
                del self._holders[user_id], self._leaving[user_id]
