"""A plugin's own schema in PostgreSQL: its tables, brought up to date by the plugin's own steps."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from botmatrix.errors import BotMatrixError, EngineUnavailable
from botmatrix.store.engine import Database

_LONGEST: Final = 63
"""Bytes of a name in PostgreSQL."""
_PATIENCE: Final = 60.0
"""Seconds that a statement of a step may take: it may change a large table."""


class BadMigration(BotMatrixError):
    """A plugin's steps do not fit what was done to its schema before; says which and why."""


MARKS: Final = "botmatrix_steps"
"""The table of a schema that says which steps were done, and what they were."""
PREFIX: Final = "plugin_"


def schema_of(plugin: str) -> str:
    """The name of a plugin's schema: `plugin_` and its id, in quotes; of a long id, a part and a digest."""
    name = f"{PREFIX}{plugin}"
    if len(name) <= _LONGEST:
        return name
    return f"{name[:40]}_{hashlib.sha256(plugin.encode()).hexdigest()[:20]}"


def lock_of(schema: str) -> str:
    """The name of the lock that whoever brings the schema up to date holds."""
    return f"plugin_schema|{schema.removeprefix(PREFIX)}"


class PluginSchema:
    """One version of a plugin's way to its schema. `where` gives the URL; empty: this worker has no PostgreSQL.

    `steps`: SQL, each done once, in their order, in a transaction of its own together with its mark.
    """

    def __init__(self, plugin: str, steps: Sequence[str], where: Callable[[], Awaitable[str]]) -> None:
        self._plugin, self._steps, self._where = plugin, tuple(steps), where
        self._schema = schema_of(plugin)
        self._database: Database | None = None
        self._ready = False
        self._preparing = asyncio.Lock()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction in the schema: committed at the end, rolled back by an error.

        Raises `EngineUnavailable`, and `BadMigration` when the schema can't be brought up to date.
        """
        await self.prepare()
        async with (await self._open()).session() as session:
            await session.execute(text(f'SET LOCAL search_path TO "{self._schema}"'))
            yield session

    async def prepare(self) -> None:
        """Bring the schema up to date, once. Raises `EngineUnavailable`, `BadMigration`."""
        async with self._preparing:
            if not self._ready:
                await self._migrate()
                self._ready = True

    async def close(self) -> None:
        """Close the connections."""
        if self._database is not None:
            await self._database.close()
            self._database = None

    async def _open(self) -> Database:
        if self._database is None:
            url = await self._where()
            if not url:
                raise EngineUnavailable("PostgreSQL", "this worker has no database", "Set database_url")
            self._database = Database(url, part=f"plugin-{self._plugin}"[:50])
        return self._database

    async def _migrate(self) -> None:
        url = await self._where()
        if not url:
            raise EngineUnavailable("PostgreSQL", "this worker has no database", "Set database_url")
        database = Database(url, part=f"plugin-{self._plugin}"[:50], patience=_PATIENCE)
        try:
            async with database.connection() as connection:
                await self._lock(connection)
                await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"'))
                await connection.execute(text(CREATE_MARKS.format(schema=self._schema)))
                if not await connection.scalar(text(_HAS_TEXTS), {"schema": self._schema}):
                    await connection.execute(text(f'ALTER TABLE "{self._schema}".{MARKS} ADD COLUMN step text'))
            for number in range(1, len(self._steps) + 1):
                async with database.connection() as connection:
                    await self._lock(connection)
                    await self._step(connection, number)
        finally:
            await database.close()

    async def _lock(self, connection: AsyncConnection) -> None:
        """One worker at a time."""
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await connection.execute(lock, {"name": lock_of(PREFIX + self._plugin)})

    async def _step(self, connection: AsyncConnection, number: int) -> None:
        step = self._steps[number - 1]
        digest = hashlib.sha256(step.encode()).hexdigest()
        marks = f'"{self._schema}".{MARKS}'
        done = await connection.execute(text(f"SELECT digest, step FROM {marks} WHERE number = :n"), {"n": number})  # noqa: S608
        before = done.one_or_none()
        if before is not None and before.digest == digest:
            if before.step is None:  # done by a version that did not keep it
                keep = text(f"UPDATE {marks} SET step = :s WHERE number = :n")  # noqa: S608
                await connection.execute(keep, {"n": number, "s": step})
            return
        if before is not None:
            raise BadMigration(f"step {number} was changed after it had been done: add a step instead")
        await connection.execute(text(f'SET LOCAL search_path TO "{self._schema}"'))
        raw = await connection.get_raw_connection()
        try:
            await raw.driver_connection.execute(step)  # type: ignore[union-attr]  # several statements at once
        except Exception as error:
            raise BadMigration(f"step {number} failed: {error}") from error
        mark = text(f"INSERT INTO {marks} (number, digest, step) VALUES (:n, :d, :s)")  # noqa: S608
        await connection.execute(mark, {"n": number, "d": digest, "s": step})


CREATE_MARKS: Final = """CREATE TABLE IF NOT EXISTS "{schema}".botmatrix_steps (
    number integer PRIMARY KEY, digest text NOT NULL, done_at timestamptz NOT NULL DEFAULT now(), step text)"""
_HAS_TEXTS: Final = """SELECT EXISTS (SELECT FROM information_schema.columns
    WHERE table_schema = :schema AND table_name = 'botmatrix_steps' AND column_name = 'step')"""
