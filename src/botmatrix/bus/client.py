"""A connection to Redis that comes back by itself, with our scripts loaded."""

from __future__ import annotations

import asyncio
from typing import Any

from botmatrix.bus.connection import Argument, Connection, ConnectionLost, ReplyError, open_connection
from botmatrix.bus.scripts import ALL, Script

__all__ = ["Client", "ConnectionLost", "ReplyError"]


class Client:
    """Calls to one Redis over one connection, opened at the first call and again after it was lost.

    A call that was under way when the link ended raises `ConnectionLost`: whether it happened is unknown, so only the
    caller can say whether it may be made again. `timeout` (s) bounds connecting and every answer.
    """

    def __init__(self, url: str, *, name: str, timeout: float = 5.0) -> None:
        self._url, self._name, self._timeout = url, name, timeout
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    async def call(self, *args: Argument) -> Any:
        """One command. Raises `EngineUnavailable` (also as `ConnectionLost`) and `ReplyError`."""
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self.connect()
        return await connection.call(*args)

    async def run(self, script: Script, keys: list[str], *args: Argument) -> Any:
        """One script by its hash; loaded again when Redis lost it, which a script that did not run allows."""
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self.connect()
        try:
            return await connection.call("EVALSHA", script.sha, len(keys), *keys, *args)
        except ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            await connection.call("SCRIPT", "LOAD", script.text)
            return await connection.call("EVALSHA", script.sha, len(keys), *keys, *args)

    async def pipeline(self, *commands: tuple[Argument, ...]) -> list[Any]:
        """Several independent commands in one go; an error of one is returned in its place."""
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self.connect()
        calls = [connection.call(*command) for command in commands]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, ConnectionLost):
                raise answer
        return answers

    async def connect(self) -> Connection:
        """The open connection, made when there is none."""
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                connection = await open_connection(self._url, name=self._name, timeout=self._timeout)
                try:
                    for script in ALL:
                        await connection.call("SCRIPT", "LOAD", script.text)
                except BaseException:
                    await connection.close()
                    raise
                self._connection = connection
            return self._connection

    async def close(self) -> None:
        """End the connection; a later call opens a new one."""
        if self._connection is not None:
            await self._connection.close()
