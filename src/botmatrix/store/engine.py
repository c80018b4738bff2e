"""The way to PostgreSQL: a small pool whose failures are one error, `EngineUnavailable`."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy import ClauseElement, Engine, event, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from botmatrix.errors import EngineUnavailable
from botmatrix.store.direct import MOST, TRUSTED, Busy, Direct

POOL_SIZE: Final = 10
CONNECT_TIMEOUT: Final = 2.0
"""Seconds to wait for a free connection, and for a new one."""
STATEMENT_TIMEOUT: Final = 5.0
"""Seconds a statement may take on the server."""

_AWAY_STATES: Final = ("08", "53", "57P", "28", "3D")
"""SQLSTATE prefixes of: connection lost, out of resources, shutting down, refused, no such database."""
_CANCELLED: Final = "57014"
_CURE: Final = "Check database_url, or run `botmatrix doctor`"


class Database:
    """A pool of connections to one PostgreSQL. Connections are opened when first needed, dead ones replaced.

    `url`: `postgresql://user:password@host:port/name`, also with `?host=/socket/folder` and `?sslmode=`.
    `part` names the process to the server (`botmatrix-control`). `patience`: seconds a statement may take.
    """

    def __init__(self, url: str, *, part: str, patience: float = STATEMENT_TIMEOUT) -> None:
        self._url = url
        self._patience = patience
        self._application = f"botmatrix-{part}"
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT,
        )
        _replace_the_dead(self._engine.sync_engine)
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._direct = Direct(self._connect, patience=CONNECT_TIMEOUT)

    def __repr__(self) -> str:
        return f"<Database of {self._application}>"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end, rolled back by an error. Raises `EngineUnavailable`."""
        with_session = AsyncSession(self._engine, expire_on_commit=False)
        try:
            async with with_session as session, session.begin():
                yield session
        except Exception as error:
            raise_if_away(error)
            raise

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """One transaction on a bare connection. Raises `EngineUnavailable`."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except Exception as error:
            raise_if_away(error)
            raise

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement is a transaction of its own. Raises `EngineUnavailable`.

        A process that is paused in the middle holds no lock then: the server ends what it was given.
        """
        try:
            async with self._single.connect() as connection:
                yield connection
        except Exception as error:
            raise_if_away(error)
            raise

    async def rows(self, statement: str, *given: object) -> list[asyncpg.Record]:
        """The rows of one statement, which is a transaction of its own. Raises `EngineUnavailable`.

        As the driver takes it, `$1` being the first of `given`: for what is asked with every request and call, as the
        way through SQLAlchemy takes longer than the statement.
        """
        try:
            return await self._direct.fetch(statement, *given)
        except Exception as error:
            raise_if_away(error)
            raise

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[AsyncSession]:
        """A session on which each statement is a transaction of its own. Raises `EngineUnavailable`."""
        try:
            async with AsyncSession(self._single, expire_on_commit=False) as session:
                yield session
        except Exception as error:
            raise_if_away(error)
            raise

    async def ping(self) -> None:
        """Ask the server for a sign of life. Raises `EngineUnavailable`."""
        async with self.connection() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._direct.close()
        await self._engine.dispose()

    async def _connect(self) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(
            self._url,
            timeout=CONNECT_TIMEOUT,
            command_timeout=self._patience + 1,  # the server's own limit comes first, while it lives
            server_settings={
                "application_name": self._application,
                "statement_timeout": str(int(self._patience * 1000)),
                "idle_in_transaction_session_timeout": "60000",
            },
        )


def as_driver_takes(query: ClauseElement) -> str:
    """The text of a query for `Database.rows`: its parameters are `$1` and so on, in their order."""
    dialect = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no types
    return str(query.compile(dialect=dialect))


def _replace_the_dead(engine: Engine) -> None:
    """Have a connection that is taken from the pool looked at first.

    Asking the server is a journey of three messages, on each statement: it is asked only after a pause. A connection
    that the server closed is known to be closed without asking.
    """

    def taken(dbapi: object, entry: ConnectionPoolEntry, _proxy: object) -> None:
        closed = entry.driver_connection is None or entry.driver_connection.is_closed()
        if closed:
            raise DisconnectionError
        if time.monotonic() - entry.info.get(given_back, 0.0) > TRUSTED:
            try:
                engine.dialect.do_ping(dbapi)  # type: ignore[arg-type]  # the pool hands over what the dialect made
            except Exception as error:
                raise DisconnectionError from error

    def returned(_dbapi: object, entry: ConnectionPoolEntry) -> None:
        entry.info[given_back] = time.monotonic()

    given_back = "given_back"
    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", returned)


def raise_if_away(error: Exception) -> None:
    """Raise `EngineUnavailable` when `error` says that PostgreSQL can't serve now; else return."""
    reason = _reason(error)
    if reason:
        raise EngineUnavailable("PostgreSQL", reason, _CURE) from error


def _reason(error: BaseException) -> str:
    """Why PostgreSQL can't serve, in words without addresses and secrets; empty for any other error."""
    if isinstance(error, PoolTimeout | Busy):
        return f"all {POOL_SIZE if isinstance(error, PoolTimeout) else MOST} connections are busy"
    if isinstance(error, DBAPIError):
        return _reason_of_driver(error)
    if isinstance(error, SQLAlchemyError):
        return ""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, socket.gaierror):
        return "its host has no address"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        return _reason_of_state(error.sqlstate or "", error.args[0] if error.args else "")
    if isinstance(error, asyncpg.InterfaceError):
        return "the connection was lost"
    return ""


def _reason_of_driver(error: DBAPIError) -> str:
    if error.connection_invalidated:
        return "the connection was lost"
    cause = error.orig.__cause__ if error.orig is not None else None
    return _reason(cause) if cause is not None else ""


def _reason_of_state(state: str, words: str) -> str:
    if state == _CANCELLED:
        return "a statement took too long"
    if state.startswith(_AWAY_STATES):
        return words or f"it refuses to serve now (SQLSTATE {state})"
    return ""
