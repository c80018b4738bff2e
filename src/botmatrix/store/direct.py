"""Connections for single statements, straight from the driver: a pool that does more costs more than the statement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

import asyncpg
import msgspec

MOST: Final = 5
TRUSTED: Final = 2.0
"""Seconds for which a connection that served is taken again without being asked whether it lives."""

_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Busy(Exception):
    """Every connection was busy for too long."""


class Direct:
    """`connect` opens a connection; `patience`: seconds that somebody waits for one while all are busy."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, patience: float) -> None:
        self._connect, self._patience = connect, patience
        self._free: list[tuple[Connection, float]] = []
        self._turn = asyncio.Semaphore(MOST)
        self._is_closed = False

    async def fetch(self, statement: str, *given: object) -> list[asyncpg.Record]:
        """The rows of one statement; `jsonb` comes as what it means. Raises `Busy`, and what the driver raises."""
        await self._wait_turn()
        try:
            return await self._fetch(await self._alive(), statement, *given)
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Close the connections that are free; one that is used ends with its statement."""
        self._is_closed = True
        free, self._free = self._free, []
        for connection, _ in free:
            with suppress(*_AWAY):
                await connection.close(timeout=self._patience)

    async def _wait_turn(self) -> None:
        if not self._turn.locked():
            await self._turn.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._turn.acquire()
        except TimeoutError:
            raise Busy from None

    async def _alive(self) -> Connection:
        """A connection that serves: one that the server closed is known to be, another one is asked after a pause."""
        while self._free:
            connection, used_at = self._free.pop()
            if not connection.is_closed() and (time.monotonic() - used_at < TRUSTED or await _answers(connection)):
                return connection
        return await self._made()

    async def _made(self) -> Connection:
        connection = await self._connect()
        try:
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=msgspec.json.decode)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _fetch(self, connection: Connection, statement: str, *given: object) -> list[asyncpg.Record]:
        is_sound = False
        try:
            rows = await connection.fetch(statement, *given)
            is_sound = True
        except asyncpg.PostgresError:
            is_sound = True  # it says what is wrong with the statement
            raise
        finally:
            if is_sound and not self._is_closed and not connection.is_closed():
                self._free.append((connection, time.monotonic()))
            else:
                connection.terminate()  # else nobody knows what it would answer next
        return rows


async def _answers(connection: Connection) -> bool:
    is_alive = False
    try:
        await connection.execute("SELECT 1")
        is_alive = True
    except _AWAY:
        pass
    finally:
        if not is_alive:
            connection.terminate()
    return is_alive
