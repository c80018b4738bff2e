"""Migrations: whole or not at all, one at a time, never backwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event

from botmatrix.errors import EngineUnavailable
from botmatrix.store.engine import Database
from botmatrix.store.migrate import SchemaTooNew, SchemaTooOld, ensure, upgrade
from botmatrix.store.migrations import versions
from botmatrix.store.tables import Base

STEPS = sorted(path.name.partition("_")[0] for path in Path(*versions.__path__).glob("[0-9]*.py"))
TABLES = {"alembic_version", *Base.metadata.tables}


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_an_empty_database_gets_every_step_once(empty_database: str) -> None:
    assert await upgrade(empty_database, part="tests") == STEPS
    assert await upgrade(empty_database, part="tests") == []
    assert await tables(empty_database) == TABLES


async def test_the_steps_lead_to_the_tables_that_the_code_uses(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

    database = Database(database_url, part="tests")
    async with database.connection() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_many_processes_at_once_take_each_step_once(empty_database: str) -> None:
    taken = await asyncio.gather(*(upgrade(empty_database, part="tests") for _ in range(4)))
    assert sorted(taken) == [[], [], [], STEPS]


async def test_a_newer_schema_is_refused_and_not_touched(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9012'")
    with pytest.raises(SchemaTooNew, match=f"schema 9012, this version knows up to {STEPS[-1]}") as raised:
        await upgrade(database_url, part="tests")
    assert raised.value.exit_code == 78
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "9012"
    await connection.close()


async def test_a_command_makes_the_tables_but_leaves_those_in_use_to_whoever_says_so(empty_database: str) -> None:
    await ensure(empty_database, part="tests")
    assert await tables(empty_database) == TABLES
    await ensure(empty_database, part="tests")
    connection = await asyncpg.connect(empty_database)
    await connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SchemaTooOld, match="botmatrix db upgrade") as raised:
        await ensure(empty_database, part="tests")
    assert raised.value.exit_code == 78
    await connection.execute("UPDATE alembic_version SET version_num = '9012'")
    with pytest.raises(SchemaTooNew):
        await ensure(empty_database, part="tests")
    await connection.close()


async def test_a_migration_cut_off_at_any_statement_leaves_nothing(empty_database: str) -> None:
    """The connection is torn down before each statement in turn, as by a killed process."""
    cut = 0
    while await _cut_off(empty_database, before=cut):
        assert await tables(empty_database) == set()
        cut += 1
    assert cut > 5
    assert await tables(empty_database) == TABLES


async def _cut_off(url: str, *, before: int) -> bool:
    """Migrate and tear the connection down before a statement; whether that statement came."""
    seen = 0

    def count(connection: Connection, *_: Any) -> None:
        nonlocal seen
        if seen == before:
            driver: Any = connection.connection.driver_connection
            driver._transport.abort()
        seen += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        await upgrade(url, part="tests")
    except EngineUnavailable:
        return True
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return False
