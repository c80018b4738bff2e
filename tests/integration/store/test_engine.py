"""The pool: what it does while PostgreSQL is slow, full, or gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from asyncpg import UniqueViolationError
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from tests.postgres import PostgresProcess

from botmatrix.errors import EngineUnavailable
from botmatrix.store import direct
from botmatrix.store.direct import MOST
from botmatrix.store.engine import POOL_SIZE, Database


@pytest.fixture
async def database(empty_database: str) -> AsyncIterator[Database]:
    opened = Database(empty_database, part="tests", patience=0.5)
    yield opened
    await opened.close()


async def test_the_server_knows_who_asks(database: Database) -> None:
    async with database.connection() as connection:
        name = (await connection.execute(text("SHOW application_name"))).scalar()
    assert name == "botmatrix-tests"


async def test_a_slow_statement_ends_in_words(database: Database) -> None:
    with pytest.raises(EngineUnavailable, match="took too long"):
        async with database.connection() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    await database.ping()


async def test_who_finds_every_connection_busy_waits_two_seconds(empty_database: str) -> None:
    database = Database(empty_database, part="tests")
    release = asyncio.Event()
    count = POOL_SIZE
    taken = asyncio.Barrier(count + 1)

    async def hold() -> None:
        async with database.connection():
            await taken.wait()
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(count)]
    await taken.wait()
    start = time.monotonic()
    with pytest.raises(EngineUnavailable, match="all 10 connections are busy"):
        await database.ping()
    assert 1.5 < time.monotonic() - start < 10
    release.set()
    await asyncio.gather(*holders)
    await database.close()


async def test_a_mistake_of_ours_is_not_called_an_outage(database: Database) -> None:
    with pytest.raises(ProgrammingError):
        async with database.connection() as connection:
            await connection.execute(text("SELECT * FROM nothing"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@127.0.0.1:1/x",
        "postgresql://postgres@/x?host=/nonexistent",
        "postgresql://postgres:secret-word@127.0.0.1:1/x",
    ],
)
async def test_an_engine_that_is_not_there_is_named_without_secrets(url: str) -> None:
    database = Database(url, part="tests")
    with pytest.raises(EngineUnavailable) as raised:
        await database.ping()
    assert "database_url" in str(raised.value)
    assert "secret-word" not in str(raised.value) + repr(database)
    await database.close()


async def test_a_host_that_nobody_knows_is_said_to_be_that() -> None:
    database = Database("postgresql://postgres@no-such-host.invalid/x", part="tests")
    with pytest.raises(EngineUnavailable, match="its host has no address"):
        await database.ping()
    await database.close()


async def test_a_missing_database_is_named(postgres_server: PostgresProcess) -> None:
    database = Database(postgres_server.url("no_such_database"), part="tests")
    with pytest.raises(EngineUnavailable, match="no_such_database"):
        await database.ping()
    await database.close()


async def test_the_socket_folder_of_a_url_is_used(postgres_server: PostgresProcess) -> None:
    url = f"postgresql://postgres@/postgres?host={postgres_server.folder}&port={postgres_server.port}"
    database = Database(url, part="tests")
    await database.ping()
    await database.close()


async def test_rows_come_straight_from_the_driver(database: Database) -> None:
    found = await database.rows("SELECT n, n * 2 AS twice FROM unnest($1::int[]) AS n", [1, 2])
    assert [(row["n"], row["twice"]) for row in found] == [(1, 2), (2, 4)]
    ((meant,),) = await database.rows("SELECT $1::jsonb", '{"of": ["上海", 1.5, null]}')
    assert meant == {"of": ["上海", 1.5, None]}


async def test_what_rows_wrote_stays_though_the_next_statement_fails(database: Database) -> None:
    await database.rows("CREATE TABLE t (x int UNIQUE)")
    await database.rows("INSERT INTO t VALUES ($1)", 1)
    with pytest.raises(UniqueViolationError):
        await database.rows("INSERT INTO t VALUES ($1)", 1)
    assert [row["x"] for row in await database.rows("SELECT x FROM t")] == [1]


async def test_rows_that_take_too_long_end_in_words(database: Database) -> None:
    with pytest.raises(EngineUnavailable, match="took too long"):
        await database.rows("SELECT pg_sleep(30)")
    assert await database.rows("SELECT 1")


async def test_who_stops_waiting_for_rows_leaves_a_connection_that_works(empty_database: str) -> None:
    database = Database(empty_database, part="tests")
    for _ in range(POOL_SIZE + 2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await database.rows("SELECT pg_sleep(30)")
    assert [row["x"] for row in await database.rows("SELECT 1 AS x")] == [1]
    await database.close()


async def test_rows_of_many_wait_their_turn_and_two_seconds_at_most(empty_database: str) -> None:
    database = Database(empty_database, part="tests")
    quick = await asyncio.gather(*(database.rows("SELECT pg_sleep(0.01), $1::int AS n", n) for n in range(30)))
    assert [rows[0]["n"] for rows in quick] == list(range(30))
    holding = [asyncio.create_task(database.rows("SELECT pg_sleep(4)")) for _ in range(MOST)]
    await asyncio.sleep(0)
    with pytest.raises(EngineUnavailable, match="all 5 connections are busy"):
        await database.rows("SELECT 1")
    await asyncio.gather(*holding)
    await database.close()


async def test_rows_that_are_under_way_when_it_closes_leave_no_connection(empty_database: str) -> None:
    database = Database(empty_database, part="tests")
    under_way = asyncio.create_task(database.rows("SELECT pg_sleep(0.3), 1 AS x"))
    await asyncio.sleep(0.1)
    await database.close()
    assert (await under_way)[0]["x"] == 1
    assert database._direct._free == []


async def test_rows_do_without_a_connection_that_died_during_a_pause(
    own_postgres: PostgresProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(own_postgres.url(), part="tests")
    await database.rows("SELECT 1")
    monkeypatch.setattr(direct, "TRUSTED", 0.0)
    assert await database.rows("SELECT pg_backend_pid()") == await database.rows("SELECT pg_backend_pid()")
    own_postgres.stop(kill=True)  # the loop stands still meanwhile, so the connection does not know yet
    own_postgres.start()
    assert await database.rows("SELECT 1")
    await database.close()


async def test_rows_find_an_engine_that_came_back(own_postgres: PostgresProcess) -> None:
    database = Database(own_postgres.url(), part="tests")
    await asyncio.gather(*(database.rows("SELECT 1") for _ in range(5)))
    own_postgres.stop(kill=True)
    with pytest.raises(EngineUnavailable):
        await database.rows("SELECT 1")
    await asyncio.to_thread(own_postgres.start)
    await asyncio.gather(*(database.rows("SELECT 1") for _ in range(5)))
    await database.close()


async def test_connections_that_died_are_replaced(own_postgres: PostgresProcess) -> None:
    database = Database(own_postgres.url(), part="tests")
    await asyncio.gather(*(database.ping() for _ in range(5)))
    own_postgres.stop(kill=True)
    with pytest.raises(EngineUnavailable):
        await database.ping()
    await asyncio.to_thread(own_postgres.start)
    await asyncio.gather(*(database.ping() for _ in range(5)))
    await database.close()


async def test_an_engine_killed_in_a_transaction_keeps_none_of_it(own_postgres: PostgresProcess) -> None:
    database = Database(own_postgres.url(), part="tests")
    async with database.connection() as connection:
        await connection.execute(text("CREATE TABLE t (x int)"))

    async def insert_while_it_dies() -> None:
        async with database.connection() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
            own_postgres.stop(kill=True)

    with pytest.raises(EngineUnavailable):
        await insert_while_it_dies()
    await asyncio.to_thread(own_postgres.start)
    async with database.connection() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar() == 0
    await database.close()
