"""A copy of the tables in one file, and back: every table as it was at one moment, all or nothing.

Streams: what is in memory at a time is some rows. A restore reads the whole file once before it changes anything.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import Table
from sqlalchemy.schema import Identity

from botmatrix.errors import EngineUnavailable
from botmatrix.store.backup_file import BadBackup, Manifest, Reader, create, open_backup
from botmatrix.store.backup_plan import LEFT_OUT, PARTS, tables_of
from botmatrix.store.engine import raise_if_away
from botmatrix.store.migrate import known_schemas
from botmatrix.version import VERSION

Connection = Any
BeforeCommit = Callable[[Connection, list[str]], Awaitable[None]]
"""Called with the connection and the names of the tables, when they hold what the file held."""
_CONNECT_TIMEOUT: Final = 5.0


async def backup(url: str, path: Path) -> Manifest:
    """Copy every part into a new file (0600). Raises `FileExistsError`, `OSError`, `EngineUnavailable`."""
    async with _connection(url) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        schema = await connection.fetchval("SELECT version_num FROM alembic_version")
        tables = tables_of(())
        counts = {one.name: await _count(connection, one) for one in tables}
        manifest = Manifest(str(schema), time.time(), VERSION, counts)
        with create(path) as writer:
            writer.manifest(manifest)

            async def write(data: bytes) -> None:
                writer.rows(data)

            for table in tables:
                columns = [column.name for column in table.columns]
                writer.table(table.name, columns)
                await connection.copy_from_table(table.name, columns=columns, output=write)
                writer.end_of_rows()
            writer.end()
    return manifest


def examine(path: Path) -> Manifest:
    """Read the whole file and say what it holds. Raises `BadBackup`, `OSError`."""
    with open_backup(path) as reader:
        _check_schema(reader)
        for name, _ in reader.tables():
            for _chunk in reader.rows(name):
                pass
        return reader.manifest


async def restore(
    url: str, path: Path, parts: Sequence[str] = (), *, before_commit: BeforeCommit | None = None
) -> dict[str, int]:
    """Put these parts (all when none is named) in the place of what is there: table -> rows.

    One transaction: an error leaves everything as it was. The tables must be up to date. Raises `BadBackup`,
    `UnknownPart`, `OSError`, `EngineUnavailable`.
    """
    tables = tables_of(parts)
    held = examine(path).tables
    wanted = [one for one in tables if one.name in held]
    async with _connection(url) as connection, connection.transaction():
        await _replace(connection, path, wanted)
        if before_commit is not None:
            await before_commit(connection, [one.name for one in wanted])
    return {one.name: held[one.name] for one in wanted}


async def _count(connection: Connection, table: Table) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {_name(table)}"))  # noqa: S608 - our own name


async def _replace(connection: Connection, path: Path, tables: list[Table]) -> None:
    if not tables:
        return
    await connection.execute(f"LOCK TABLE {', '.join(_name(one) for one in tables)} IN SHARE ROW EXCLUSIVE MODE")
    for table in reversed(tables):
        await connection.execute(f"DELETE FROM {_name(table)}")  # noqa: S608 - our own name
    by_name = {one.name: one for one in tables}
    with open_backup(path) as reader:
        # The order of the file is that in which the tables refer to one another.
        for name, columns in reader.tables():
            rows = reader.rows(name)
            if name not in by_name:
                for _chunk in rows:
                    pass
            else:
                await _fill(connection, reader, by_name[name], columns)


async def _fill(connection: Connection, reader: Reader, table: Table, columns: list[str]) -> None:
    unknown = [one for one in columns if one not in table.columns]
    if unknown:
        raise reader.bad(f"the table {table.name} has no column {unknown[0]!r} in this version")

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in reader.rows(table.name):
            yield chunk

    try:
        await connection.copy_to_table(table.name, source=chunks(), columns=columns)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise reader.bad(f"the table {table.name} does not take its rows ({type(error).__name__})") from error
    for column in table.columns:
        if isinstance(column.server_default, Identity):
            await connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), "  # noqa: S608 - our own names
                f'coalesce(max("{column.name}"), 1), max("{column.name}") IS NOT NULL) FROM {_name(table)}'
            )


def _check_schema(reader: Reader) -> None:
    manifest, known = reader.manifest, known_schemas()
    if manifest.schema not in known:
        raise reader.bad(
            f"it was made with schema {manifest.schema} (version {manifest.made_by}), this version knows up to "
            f"{known[0]}: use a newer version of BotMatrix"
        )
    strange = manifest.tables.keys() - {name for tables in PARTS.values() for name in tables} - LEFT_OUT.keys()
    if strange:
        raise reader.bad(f"this version has no table {min(strange)!r}")


def _name(table: Table) -> str:
    return f'"{table.name}"'


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Connection]:
    """A connection whose statements may take as long as they need. Raises `EngineUnavailable`."""
    try:
        connection = await asyncpg.connect(
            url, timeout=_CONNECT_TIMEOUT, server_settings={"application_name": "botmatrix-backup"}
        )
        try:
            yield connection
        finally:
            await connection.close(timeout=_CONNECT_TIMEOUT)
    except (BadBackup, EngineUnavailable, FileExistsError):
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise_if_away(error)
        raise
