"""The tables of plugins in a backup: there and back, made anew where there are none, refused where they differ."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest
from tests.postgres import PostgresProcess

from botmatrix.store.backup import backup, restore
from botmatrix.store.backup_file import BadBackup, Manifest
from botmatrix.store.backup_plan import choose
from botmatrix.store.plugin_schemas import PluginSchema

STEPS = (
    """CREATE TYPE mood AS ENUM ('up', 'down''s');
    CREATE TABLE accounts (id serial PRIMARY KEY, person text NOT NULL, parent int REFERENCES accounts,
        mood mood, tags text[], held numeric(20, 4), twice numeric GENERATED ALWAYS AS (held * 2) STORED,
        doc jsonb, raw bytea, at timestamptz, span interval, f float8);""",
    """CREATE TABLE "A b" ("x""y" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int REFERENCES accounts);
    ALTER TABLE accounts ADD COLUMN latest bigint REFERENCES "A b";
    CREATE TABLE log (n bigint);
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER noting AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE TABLE parted (day int, said text) PARTITION BY LIST (day);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
    CREATE MATERIALIZED VIEW total AS SELECT sum(held) AS held FROM accounts;""",
)
FILLED = r"""
INSERT INTO accounts (person, mood, tags, held, doc, raw, at, span, f) VALUES
    (E'tab\there\nline\\.\\N 家', 'down''s', '{"a,b",NULL,"c\"d"}', 12345678901234.5678, '{"a": [1, "\\n"]}',
     '\x005c0a', '2026-03-01 12:00:00.123456+02', '-1 mon 3 days 00:00:01.5', 0.1), ('b', 'up', '{}', 1, NULL, NULL,
     'infinity', '1 day', 'NaN');
INSERT INTO "A b" (account) VALUES (2), (1);
UPDATE accounts SET parent = 3 - id, latest = 3 - id;
INSERT INTO parted VALUES (1, 'x');
REFRESH MATERIALIZED VIEW total;"""
TABLES = ("accounts", '"A b"', "log", "parted", "total", "botmatrix_steps")
Made = Callable[..., Awaitable[None]]


async def look(url: str, plugin: str = "bank", tables: Sequence[str] = TABLES) -> list[list[str]]:
    connection = await asyncpg.connect(url, server_settings={"search_path": f'"plugin_{plugin}"'})
    found = [await connection.fetch(f"SELECT t::text FROM (SELECT * FROM {one}) t ORDER BY 1") for one in tables]  # noqa: S608
    await connection.close()
    return [[row[0] for row in rows] for rows in found]


async def do(url: str, statements: str, plugin: str = "bank") -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": f'"plugin_{plugin}"'})
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


@pytest.fixture
async def steps() -> AsyncIterator[Made]:
    made: list[PluginSchema] = []

    async def do_steps(url: str, steps: Sequence[str] = STEPS, plugin: str = "bank") -> None:
        async def where() -> str:
            return url

        made.append(PluginSchema(plugin, steps, where))
        await made[-1].prepare()

    yield do_steps
    for schema in made:
        await schema.close()


@pytest.fixture
def other_url(postgres_server: PostgresProcess, migrated_template: str) -> Iterator[str]:
    """URL of a second database."""
    name = postgres_server.create_database(template=migrated_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
async def full(database_url: str, steps: Made) -> str:
    await steps(database_url)
    await do(database_url, FILLED)
    return database_url


def rows_only(seen: list[list[str]]) -> list[list[str]]:
    """Without the marks, which know when a step was done."""
    return seen[:-1]


async def test_a_place_that_has_nothing_gets_the_tables_and_their_rows(
    full: str, other_url: str, tmp_path: Path
) -> None:
    made = await backup(full, tmp_path / "b")
    done = await restore(other_url, tmp_path / "b")
    assert {name: n for name, n in done.items() if name.startswith("plugin_bank ")} == {
        "plugin_bank A b": 2,
        "plugin_bank accounts": 2,
        "plugin_bank log": 2,
        "plugin_bank parted": 1,
    }
    assert not made.skipped
    assert rows_only(await look(other_url)) == rows_only(await look(full))
    await do(other_url, "INSERT INTO accounts (person) VALUES ('c'); INSERT INTO \"A b\" DEFAULT VALUES")
    assert (await look(other_url, tables=["log"]))[0] == ["(1)", "(2)", "(3)"], "numbering and triggers go on"
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await do(other_url, "UPDATE accounts SET parent = 99")


async def test_a_worker_goes_on_from_the_steps_that_were_restored(
    full: str, other_url: str, tmp_path: Path, steps: Made
) -> None:
    await backup(full, tmp_path / "b")
    await restore(other_url, tmp_path / "b")
    await steps(other_url, (*STEPS, "INSERT INTO log VALUES (77)"))
    assert "(77)" in (await look(other_url, tables=["log"]))[0]


async def test_what_is_there_is_replaced_also_twice(full: str, tmp_path: Path) -> None:
    before = await look(full)
    await backup(full, tmp_path / "b")
    await do(
        full, "UPDATE accounts SET parent = NULL, person = 'changed'; INSERT INTO accounts (person) VALUES ('new')"
    )
    for _ in range(2):
        assert await restore(full, tmp_path / "b", choose(["tables:bank"])) == {
            "plugin_bank A b": 2,
            "plugin_bank accounts": 2,
            "plugin_bank log": 2,
            "plugin_bank parted": 1,
        }
        assert await look(full) == before


async def test_one_plugin_comes_back_and_the_others_stay(full: str, tmp_path: Path, steps: Made) -> None:
    await steps(full, ["CREATE TABLE core_config (n int); INSERT INTO core_config VALUES (1)"], "a.game")
    await backup(full, tmp_path / "b")
    await do(full, "UPDATE core_config SET n = 2", "a.game")
    await do(full, "DELETE FROM log")
    await restore(full, tmp_path / "b", choose(["tables"], ["tables:a.game"]))
    assert await look(full, "a.game", ["core_config"]) == [["(2)"]]
    assert (await look(full, tables=["log"]))[0]
    await restore(full, tmp_path / "b", choose(["tables:a.game"]))
    assert await look(full, "a.game", ["core_config"]) == [["(1)"]]
    await do(full, "UPDATE core_config SET n = 3", "a.game")
    await restore(full, tmp_path / "b", choose(without=["tables"]))
    assert await look(full, "a.game", ["core_config"]) == [["(3)"]]
    with pytest.raises(BadBackup, match=r"no tables of the plugin other; it has those of a\.game, bank"):
        await restore(full, tmp_path / "b", choose(["tables:other"]))


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (STEPS[:1], "here 1 of its steps are done, in the backup 2: bring a newer"),
        ((*STEPS, "CREATE TABLE newer (n int)"), "here 3 of its steps are done, in the backup only 2"),
        (("CREATE TABLE accounts (n int)", STEPS[1]), "other ones than in the backup"),
    ],
)
async def test_other_steps_are_refused_and_nothing_changes(
    full: str, other_url: str, tmp_path: Path, steps: Made, here: tuple[str, ...], words: str
) -> None:
    await backup(full, tmp_path / "b")
    if here[0] != STEPS[0]:
        here = (here[0],)
    await steps(other_url, here)
    await do(other_url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (5)")
    with pytest.raises(BadBackup, match=f"(?s)plugin bank: .*{words}.*--without tables:bank"):
        await restore(other_url, tmp_path / "b")
    assert await look(other_url, tables=["kept"]) == [["(5)"]]
    assert "users" in await restore(other_url, tmp_path / "b", choose(without=["tables:bank"]))


async def test_types_that_mean_nothing_elsewhere_are_told_and_left_out(full: str, tmp_path: Path, steps: Made) -> None:
    await steps(full, ["CREATE DOMAIN big AS oid; CREATE TABLE pictures (name text, large big)"], "album")
    await steps(full, ["CREATE TABLE seen (ids xid8[])"], "seer")
    made = await backup(full, tmp_path / "b")
    assert made.skipped == {
        "plugin_album": "the column pictures.large has the type oid, which means nothing elsewhere",
        "plugin_seer": "the column seen.ids has the type xid8, which means nothing elsewhere",
    }
    assert not [name for name in made.tables if name.startswith(("plugin_album", "plugin_seer"))]
    with pytest.raises(BadBackup, match=r"made without the tables of the plugin album: the column pictures\.large"):
        await restore(full, tmp_path / "b", choose(["tables:album"]))
    await restore(full, tmp_path / "b")


async def test_steps_whose_text_was_not_kept_are_refused_in_an_empty_place(
    full: str, other_url: str, tmp_path: Path, steps: Made
) -> None:
    await do(full, "ALTER TABLE botmatrix_steps DROP COLUMN step")
    await backup(full, tmp_path / "old")
    with pytest.raises(BadBackup, match="have a worker load the plugin first"):
        await restore(other_url, tmp_path / "old")
    await steps(other_url)
    await restore(other_url, tmp_path / "old")
    assert rows_only(await look(other_url)) == rows_only(await look(full))
    await steps(full)  # a worker of this version keeps them from now on
    await do(other_url, "DROP SCHEMA plugin_bank CASCADE")
    await backup(full, tmp_path / "new")
    await restore(other_url, tmp_path / "new")
    assert rows_only(await look(other_url)) == rows_only(await look(full))


def _edited(path: Path, old: bytes, new: bytes) -> None:
    content = gzip.decompress(path.read_bytes())
    assert old in content
    path.write_bytes(gzip.compress(content.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"plugin_bank botmatrix_steps", b"plugin_bank other_table_name", "not in order"),
        (b"plugin_bank log", b"plugin_bank dog", "no table dog here"),
        (b"CREATE TYPE mood", b"CREATE TYPE hood", "step 1 is damaged"),
        (b'"x\\"y"', b'"x\\"z"', "does not take its rows"),
        (b"2\t1\n", b"2\t9\n", "do not fit together"),
    ],
)
async def test_a_file_that_does_not_fit_changes_nothing(
    full: str, other_url: str, tmp_path: Path, old: bytes, new: bytes, words: str
) -> None:
    await backup(full, tmp_path / "b")
    _edited(tmp_path / "b", old, new)
    with pytest.raises(BadBackup, match=words):
        await restore(other_url, tmp_path / "b")
    connection = await asyncpg.connect(other_url)
    assert not await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'plugin%'")
    await connection.close()


async def test_a_plugin_without_tables_and_one_that_has_only_started_are_fine(
    database_url: str, other_url: str, tmp_path: Path, steps: Made
) -> None:
    await steps(database_url, (), "empty")
    made: Manifest = await backup(database_url, tmp_path / "b")
    assert made.tables["plugin_empty botmatrix_steps"] == 0
    await restore(other_url, tmp_path / "b")
    await restore(other_url, tmp_path / "b")


async def test_who_may_not_make_a_schema_is_told_and_nothing_changes(full: str, other_url: str, tmp_path: Path) -> None:
    await backup(full, tmp_path / "b")
    database = other_url.rpartition("/")[2]
    role = f"modest_{database}"
    connection = await asyncpg.connect(other_url)
    await connection.execute(
        f'CREATE ROLE "{role}" LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}";'
        f'GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO "{role}"'
    )
    try:
        with pytest.raises(BadBackup, match=r"their schema can't be made .permission denied for database"):
            await restore(other_url.replace("postgres@", f"{role}@"), tmp_path / "b", choose(["tables"]))
        assert not await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'plugin%'")
    finally:
        await connection.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
        await connection.close()


@pytest.mark.parametrize("end", ["COMMIT", "END", "ROLLBACK", "COMMIT; BEGIN"])
async def test_a_step_that_would_end_the_transaction_changes_nothing(
    end: str, database_url: str, other_url: str, tmp_path: Path, steps: Made
) -> None:
    await steps(
        database_url, ["CREATE TABLE one (n int)", f"CREATE TABLE two (n int); {end}; CREATE TABLE three (n int)"]
    )
    await backup(database_url, tmp_path / "b")
    await do(other_url, "INSERT INTO public.routing_rules (key, target) VALUES ('kept', 'w1')")
    with pytest.raises(BadBackup, match="the tables of the plugin bank: step 2 fails here"):
        await restore(other_url, tmp_path / "b")
    connection = await asyncpg.connect(other_url)
    assert await connection.fetchval("SELECT count(*) FROM routing_rules") == 1
    assert await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'plugin_bank'") == 0
    await connection.close()
