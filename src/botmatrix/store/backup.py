"""A copy of the tables in one file, and back: every table as it was at one moment, all or nothing.

The tables that plugins have of their own are among them (`backup_schemas`, `restore_schemas`).
Streams: what is in memory at a time is some rows. A restore reads the whole file once before it changes anything.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import Table
from sqlalchemy.schema import Identity

from botmatrix.errors import EngineUnavailable
from botmatrix.store.backup_file import BadBackup, Manifest, Reader, create, open_backup
from botmatrix.store.backup_plan import LEFT_OUT, PARTS, ROWS, Choice, choose
from botmatrix.store.backup_rows import fill
from botmatrix.store.backup_schemas import NUMBERING, Source, quoted, sources
from botmatrix.store.backup_tasks import tasks_back
from botmatrix.store.engine import raise_if_away
from botmatrix.store.migrate import known_schemas
from botmatrix.store.plugin_schemas import MARKS, PREFIX
from botmatrix.store.restore_schemas import SchemasBack
from botmatrix.store.tables import Task
from botmatrix.version import VERSION

Connection = Any
BeforeCommit = Callable[[Connection, list[str]], Awaitable[None]]
"""Called with the connection and the names of the tables, when they hold what the file held."""
_CONNECT_TIMEOUT: Final = 5.0
_SESSION: Final = {
    "application_name": "botmatrix-backup",
    # Values are written in one way, whatever this server and the one of the restore have for a default.
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "row_security": "off",
}


async def backup(url: str, path: Path) -> Manifest:
    """Copy every part into a new file (0600). Raises `FileExistsError`, `OSError`, `EngineUnavailable`.

    What the manifest says was skipped is not in the file.
    """
    async with _connection(url) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        schema = await connection.fetchval("SELECT version_num FROM alembic_version")
        of_plugins, skipped = await sources(connection)
        every = [*map(_source, choose().tables), *of_plugins]
        counts = {one.name: await _count(connection, one) for one in every}
        manifest = Manifest(str(schema), time.time(), VERSION, counts, skipped)
        with create(path) as writer:
            writer.manifest(manifest)

            async def write(data: bytes) -> None:
                writer.rows(data)

            for one in every:
                writer.table(one.name, one.columns)
                await connection.copy_from_query(one.query, output=write)
                writer.end_of_rows()
            writer.end()
    return manifest


def examine(path: Path, choice: Choice | None = None) -> Manifest:
    """Read the whole file and say what it holds. Raises `BadBackup`, also when it lacks a chosen plugin, `OSError`."""
    with open_backup(path) as reader:
        _check_schema(reader)
        _check_plugins(reader, choice)
        for name, _ in reader.tables():
            for _chunk in reader.rows(name):
                pass
        return reader.manifest


async def restore(
    url: str, path: Path, choice: Choice | None = None, *, before_commit: BeforeCommit | None = None
) -> dict[str, int]:
    """Put what is chosen, or all, in the place of what is there: table -> rows. Tasks that were on come back paused.

    One transaction: an error leaves everything as it was. The tables must be up to date. Raises `BadBackup`,
    `OSError`, `EngineUnavailable`.
    """
    choice = choice or choose()
    manifest = examine(path, choice)
    wanted = [one for one in choice.tables if one.name in manifest.tables]
    async with _connection(url) as connection, connection.transaction():
        await _replace(connection, path, wanted, choice)
        if before_commit is not None:
            await before_commit(connection, [one.name for one in wanted])
    return {name: manifest.tables[name] for name in restored(manifest, choice)}


def restored(manifest: Manifest, choice: Choice) -> list[str]:
    """The tables of the file that are chosen, as the manifest calls them."""
    ours = {one.name for one in choice.tables}
    return [one for one in manifest.tables if one in ours or (_is_rows(one) and choice.has(_schema(one)))]


def name_of(name: str) -> str:
    """What people call a table of the manifest."""
    return name.replace(" ", ".", 1)


def _source(table: Table) -> Source:
    columns = [column.name for column in table.columns]
    listed = ", ".join(map(quoted, columns))
    return Source(table.name, columns, f"SELECT {listed} FROM {_name(table)}{_where(table)}")  # noqa: S608 - our own


async def _count(connection: Connection, one: Source) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM ({one.query}) AS found"))  # noqa: S608 - our own


async def _replace(connection: Connection, path: Path, tables: list[Table], choice: Choice) -> None:
    if tables:
        await connection.execute(f"LOCK TABLE {', '.join(map(_name, tables))} IN SHARE ROW EXCLUSIVE MODE")
    for table in reversed(tables):
        await connection.execute(f"DELETE FROM {_name(table)}{_where(table)}")  # noqa: S608 - our own name
    by_name = {one.name: one for one in tables}
    with open_backup(path) as reader:
        schemas = SchemasBack(connection, reader)
        # The order of the file is that in which the tables refer to one another.
        for name, columns in reader.tables():
            if name in by_name:
                await _fill(connection, reader, by_name[name], columns)
            elif _schema(name) and choice.has(_schema(name)):
                await schemas.take(name, columns)
            else:
                for _chunk in reader.rows(name):
                    pass
        await schemas.end()


async def _fill(connection: Connection, reader: Reader, table: Table, columns: list[str]) -> None:
    unknown = [one for one in columns if one not in table.columns]
    if unknown:
        raise reader.bad(f"the table {table.name} has no column {unknown[0]!r} in this version")
    if table.name == Task.__tablename__:
        await tasks_back(connection, reader, columns)
    else:
        await fill(connection, reader, table.name, (None, table.name), columns)
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
    ours = {name for name in manifest.tables if not _schema(name)}
    strange = ours - {name for tables in PARTS.values() for name in tables} - LEFT_OUT.keys()
    if strange:
        raise reader.bad(f"this version has no table {min(strange)!r}")


def _check_plugins(reader: Reader, choice: Choice | None) -> None:
    held = {_schema(name) for name in reader.manifest.tables if _schema(name)}
    for schema in sorted((choice.schemas if choice else None) or ()):
        plugin = schema.removeprefix(PREFIX)
        if why := reader.manifest.skipped.get(schema):
            raise reader.bad(f"it was made without the tables of the plugin {plugin}: {why}")
        if schema not in held:
            known = ", ".join(sorted(one.removeprefix(PREFIX) for one in held)) or "no plugin"
            raise reader.bad(f"it has no tables of the plugin {plugin}; it has those of {known}")


def _schema(name: str) -> str:
    """The plugin's schema that a table of the file is in; empty: it is one of ours."""
    return name.partition(" ")[0] if " " in name else ""


def _is_rows(name: str) -> bool:
    """Whether these are the rows of a plugin's table."""
    return bool(_schema(name)) and name.partition(" ")[2] not in (MARKS, NUMBERING)


def _where(table: Table) -> str:
    return f" WHERE {ROWS[table.name]}" if table.name in ROWS else ""


def _name(table: Table) -> str:
    return f'"{table.name}"'


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Connection]:
    """A connection whose statements may take as long as they need. Raises `EngineUnavailable`."""
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT, server_settings=_SESSION)
        try:
            yield connection
        finally:
            await connection.close(timeout=_CONNECT_TIMEOUT)
    except (BadBackup, EngineUnavailable, FileExistsError):
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise_if_away(error)
        raise
