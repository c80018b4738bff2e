"""What plugins keep, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.postgres import PostgresProcess

from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.store import LARGEST, Store
from botmatrix.store.migrate import upgrade
from botmatrix.store.plugin_values import PluginValues


@pytest.fixture
async def values(database_url: str) -> AsyncIterator[PluginValues]:
    values = PluginValues(database_url, part="tests")
    yield values
    await values.close()


@pytest.fixture
def store(values: PluginValues) -> Store:
    return Store(lambda: values, "mine")


@pytest.mark.parametrize("value", [None, 0, 2**62, 1.5, "", "a\x00b\u2028", [], {"名": [True, {}]}])
async def test_values_come_back_as_they_were(store: Store, value: object) -> None:
    await store.set("k", value)
    assert await store.get("k", "default") == value


async def test_a_missing_value_is_the_default(store: Store) -> None:
    assert await store.get("k") is None
    assert await store.get("k", 7) == 7


async def test_plugins_do_not_see_each_other(store: Store, values: PluginValues) -> None:
    other = Store(lambda: values, "other")
    await store.set("k", 1)
    assert await other.get("k") is None
    assert await other.keys() == []
    assert not await other.delete("k")
    assert await store.get("k") == 1


async def test_updates_at_once_all_count(store: Store) -> None:
    results = await asyncio.gather(*(store.update("n", lambda n: n + 1, default=0) for _ in range(30)))
    assert sorted(results) == list(range(1, 31))


async def test_an_update_that_raises_changes_nothing(store: Store) -> None:
    await store.set("n", 1)
    with pytest.raises(ZeroDivisionError):
        await store.update("n", lambda n: n / 0)
    assert await store.get("n") == 1


async def test_keys_are_listed_by_prefix_in_order_and_by_page(store: Store) -> None:
    for key in ("b%", "b_1", "B", "a", "bé", "c"):
        await store.set(key, 1)
    assert await store.keys() == ["B", "a", "b%", "b_1", "bé", "c"]
    assert await store.keys("b_") == ["b_1"]
    assert await store.keys("b", after="b%") == ["b_1", "bé"]


async def test_delete_says_whether_there_was_one(store: Store) -> None:
    await store.set("k", 1)
    assert [await store.delete("k"), await store.delete("k")] == [True, False]


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x00"])
async def test_what_is_no_key_is_refused(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        await store.set(key, 1)


async def test_what_is_too_large_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="at most 256 KiB"):
        await store.set("k", "x" * LARGEST)


async def test_without_a_database_or_its_tables_it_says_so(empty_database: str) -> None:
    for url, words in (("", "Set database_url"), (empty_database, "tables are not ready")):
        values = PluginValues(url, part="tests")
        with pytest.raises(EngineUnavailable, match=words):
            await values.get("mine", "k")
        await values.close()


async def test_it_heals_when_postgresql_comes_back(own_postgres: PostgresProcess) -> None:
    await upgrade(own_postgres.url(), part="tests")
    values = PluginValues(own_postgres.url(), part="tests")
    store = Store(lambda: values, "mine")
    await store.set("k", 1)
    own_postgres.stop(kill=True)
    with pytest.raises(EngineUnavailable):
        await store.get("k")
    own_postgres.start()
    assert await store.get("k") == 1
    await values.close()
