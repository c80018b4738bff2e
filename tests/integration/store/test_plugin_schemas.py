"""Schemas of plugins: steps done once, undone when they fail, apart from those of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from botmatrix.errors import EngineUnavailable
from botmatrix.store.plugin_schemas import BadMigration, PluginSchema, schema_of

Make = Callable[..., PluginSchema]
STEPS = ("CREATE TABLE a (n int)", "ALTER TABLE a ADD m int; INSERT INTO a VALUES (1, 2)")


@pytest.fixture
async def make(database_url: str) -> AsyncIterator[Make]:
    made: list[PluginSchema] = []

    async def where() -> str:
        return database_url

    def make(steps: Sequence[str] = STEPS, plugin: str = "mine") -> PluginSchema:
        made.append(PluginSchema(plugin, steps, where))
        return made[-1]

    yield make
    for schema in made:
        await schema.close()


async def rows(schema: PluginSchema, query: str = "SELECT n, m FROM a") -> list[tuple[object, ...]]:
    async with schema.session() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def test_steps_are_done_once_however_many_workers_come(make: Make) -> None:
    schemas = [make() for _ in range(4)]
    assert await asyncio.gather(*(rows(schema) for schema in schemas)) == [[(1, 2)]] * 4
    assert await rows(make((*STEPS, "INSERT INTO a VALUES (3, 4)"))) == [(1, 2), (3, 4)]
    assert await rows(make()) == [(1, 2), (3, 4)]  # an older version again


async def test_a_step_that_fails_leaves_nothing_of_itself(make: Make) -> None:
    with pytest.raises(BadMigration, match="step 3 failed"):
        await make((*STEPS, "INSERT INTO a VALUES (9, 9); SELECT nothing_of_this_name")).prepare()
    assert await rows(make()) == [(1, 2)]


async def test_a_step_that_was_done_can_not_be_changed(make: Make) -> None:
    await make().prepare()
    with pytest.raises(BadMigration, match="step 1 was changed"):
        await make(("CREATE TABLE a (n bigint)",)).prepare()


async def test_an_error_rolls_back_and_others_do_not_see_the_tables(make: Make) -> None:
    schema = make()
    with pytest.raises(KeyError, match="rolled back"):
        await _fail(schema)
    assert await rows(schema) == [(1, 2)]
    with pytest.raises(ProgrammingError):
        await rows(make((), "other"))
    with pytest.raises(ProgrammingError):
        await rows(schema, "SELECT id, version FROM plugins")


async def _fail(schema: PluginSchema) -> None:
    async with schema.session() as session:
        await session.execute(text("DELETE FROM a"))
        raise KeyError("rolled back")


async def test_a_worker_without_a_database_says_so() -> None:
    async def nowhere() -> str:
        return ""

    with pytest.raises(EngineUnavailable, match="Set database_url"):
        await PluginSchema("mine", (), nowhere).prepare()


def test_every_id_has_a_schema_of_its_own() -> None:
    ids = ["a", "A", "a.b", "a-b", "x" * 64, "x" * 63 + "y"]
    names = [schema_of(plugin) for plugin in ids]
    assert len(set(names)) == len(ids)
    assert all(len(name) <= 63 and '"' not in name for name in names)
