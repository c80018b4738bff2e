"""Signals: lossy by nature. Whoever needs certainty looks at the state as well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from botmatrix.bus.connection import Connection, open_connection
from botmatrix.errors import EngineUnavailable

Handler = Callable[[bytes], None]
SILENCE = 10.0
"""Seconds within which Redis must answer a sign of life."""


class Signals:
    """Subscriptions of one process over one connection that comes back by itself."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url, self._name = url, name
        self._handlers: dict[bytes, Handler] = {}
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._heard = False

    def subscribe(self, channel: str, handler: Handler) -> None:
        """Call `handler` with the body of each message; it must be quick."""
        self._handlers[channel.encode()] = handler
        if self._connection is not None and not self._connection.closed:
            self._connection.send("SUBSCRIBE", channel)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="signals")

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    async def _run(self) -> None:
        while True:
            try:
                connection = await open_connection(self._url, name=self._name, timeout=5.0)
            except EngineUnavailable:
                await asyncio.sleep(0.5)
                continue
            self._changed.clear()
            self._connection = connection
            connection.listen(self._receive)
            for channel in self._handlers:
                connection.send("SUBSCRIBE", channel)
            while not self._changed.is_set():
                await self._look_after(connection)

    async def _look_after(self, connection: Connection) -> None:
        """A silent link may be a dead one: ask for a sign of life, and hang up when none comes."""
        self._heard = False
        connection.send("PING")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), SILENCE)
        if not self._heard and not self._changed.is_set():
            await connection.close()

    def _receive(self, push: list[Any]) -> None:
        self._heard = True
        if not push:  # the connection ended
            self._changed.set()
        elif push[0] == b"message" and (handler := self._handlers.get(push[1])):
            handler(push[2])
