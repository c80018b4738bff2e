"""A backup and back: every table, all or nothing, and nothing at all from a file that is not in order."""

from __future__ import annotations

import gzip
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import JSON
from tests.postgres import PostgresProcess

from botmatrix.store.backup import backup, examine, restore
from botmatrix.store.backup_file import BadBackup
from botmatrix.store.backup_plan import LEFT_OUT, PARTS, UnknownPart, choose
from botmatrix.store.migrate import known_schemas
from botmatrix.store.tables import Base

NASTY = "tab\there\nline\\\\.\\n '\"; 家 \\."

ONE_ROW = ("core_config", "group_policies", "plugins", "plugin_settings")
CHECKED = {
    **{"role": "admin", "scope": "admin", "fallback": "balance", "deliver": "one"},
    **{"hidden": False, "status": "disabled", "next_run_time": None},
}
"""Columns that take some words only, or change on their way."""


def test_every_table_is_in_a_part_or_left_out_for_a_reason() -> None:
    exported = [name for tables in PARTS.values() for name in tables]
    assert sorted([*exported, *LEFT_OUT]) == sorted(Base.metadata.tables), "store/backup_plan.py: add the new table"
    assert all(LEFT_OUT.values())


async def fill(url: str) -> None:
    """Two rows in every table that is in a backup, with what text and JSON may hold."""
    connection = await asyncpg.connect(url)
    for table in choose().tables:
        for number in (1,) if table.name in ONE_ROW else (1, 2):
            values = [_value(column, number) for column in table.columns]
            slots = ", ".join(f"${place}" for place in range(1, len(values) + 1))
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            await connection.execute(f'INSERT INTO "{table.name}" ({names}) VALUES ({slots})', *values)  # noqa: S608
    await connection.close()


def _value(column: Any, number: int) -> Any:
    if column.name in CHECKED:
        return CHECKED[column.name]
    if isinstance(column.type, JSON):
        return json.dumps({"text": NASTY, "number": number}) if number == 1 or not column.nullable else None
    kind = column.type.python_type
    if kind is datetime:
        return datetime(2026, 1, 1, 12, 30, 15, 123456, UTC) + timedelta(days=number)
    made: dict[type, Any] = {int: number, float: number + 0.5, bool: number == 1, bytes: bytes([0, 92, 10, number])}
    made[list] = [NASTY, str(number)]
    return made.get(kind, f"{NASTY}{number}")


async def content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(url)
    found = {}
    for name in sorted(Base.metadata.tables):
        changes = ("tasks", "updated_at")
        columns = ", ".join(
            f'"{one.name}"' for one in Base.metadata.tables[name].columns if (name, one.name) != changes
        )
        rows = await connection.fetch(f'SELECT {columns} FROM "{name}"')  # noqa: S608
        found[name] = sorted((tuple(row) for row in rows), key=repr)
    await connection.close()
    return found


@pytest.fixture
async def full(database_url: str) -> str:
    await fill(database_url)
    return database_url


async def test_everything_comes_back_as_it_was(
    full: str, postgres_server: PostgresProcess, migrated_template: str, tmp_path: Path
) -> None:
    before = await content(full)
    made = await backup(full, tmp_path / "all.gz")
    assert made.tables == {table.name: 1 if table.name in ONE_ROW else 2 for table in choose().tables}
    assert examine(tmp_path / "all.gz") == made
    other = postgres_server.create_database(template=migrated_template)
    url = postgres_server.url(other)
    assert await restore(url, tmp_path / "all.gz") == made.tables
    after = await content(url)
    assert after == {**before, **{name: [] for name in LEFT_OUT}}
    assert await restore(url, tmp_path / "all.gz") == made.tables, "once more, in the place of itself"
    assert await content(url) == after
    connection = await asyncpg.connect(url)
    fresh = await connection.fetchval(
        "INSERT INTO audit (who, via, what, object, address) VALUES ('', '', '', '', '') RETURNING id"
    )
    assert fresh == 3, "numbering goes on behind what came back"
    await connection.close()
    postgres_server.drop_database(other)


async def test_only_its_owner_can_read_the_file_and_it_is_never_written_over(full: str, tmp_path: Path) -> None:
    path = tmp_path / "all.gz"
    await backup(full, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        await backup(full, path)
    assert os.listdir(tmp_path) == [path.name]


async def test_one_part_comes_back_and_the_others_stay(full: str, tmp_path: Path) -> None:
    await backup(full, tmp_path / "all.gz")
    before = await content(full)
    connection = await asyncpg.connect(full)
    await connection.execute("DELETE FROM users")
    await connection.execute("UPDATE routing_rules SET target = 'changed'")
    assert await restore(full, tmp_path / "all.gz", choose(["users"])) == {
        "users": 2,
        "api_keys": 2,
        "user_bindings": 2,
    }
    after = await content(full)
    assert (after["users"], after["api_keys"]) == (before["users"], before["api_keys"])
    assert await connection.fetchval("SELECT count(*) FROM routing_rules WHERE target = 'changed'") == 2
    await connection.close()
    with pytest.raises(UnknownPart, match="users, rules"):
        choose(["user"])


def _edited(path: Path, edit: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(edit(lines))))


def _newer(lines: list[bytes]) -> list[bytes]:
    manifest = json.loads(lines[0])
    return [json.dumps({**manifest, "schema": "9012"}).encode() + b"\n", *lines[1:]]


def _strange_table(lines: list[bytes]) -> list[bytes]:
    manifest = json.loads(lines[0])
    manifest["tables"] = {"pg_class": 0, **manifest["tables"]}
    return [json.dumps(manifest).encode() + b"\n", *lines[1:]]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_newer, "made with schema 9012.*knows up to"),
        (_strange_table, "no table 'pg_class'"),
        (lambda lines: lines[:-1], "damaged"),
        (lambda lines: lines[: len(lines) // 2], "ends within|damaged"),
        (lambda lines: [*lines, b"more"], "does not end where it should"),
        (lambda lines: lines[:2] + lines[3:], "rows, the manifest says"),
        (lambda lines: [b"[1]\n", *lines[1:]], "no backup"),
        (lambda lines: [b'{"format": "other"}\n'], "no backup"),
        (lambda lines: [b'{"format": "botmatrix-backup", "version": 3}\n'], "format 3"),
        (lambda lines: [b'{"format": "botmatrix-backup", "version": 1, "tables": 5}\n'], "manifest is damaged"),
        (lambda lines: [lines[0], lines[1].replace(b'"columns": ["', b'"columns": ["x_'), *lines[2:]], "no column"),
        (lambda lines: [*lines[:2], b"not a row\n", *lines[3:]], "does not take its rows"),
    ],
)
async def test_a_file_that_is_not_in_order_changes_nothing(
    full: str, tmp_path: Path, edit: Callable[[list[bytes]], list[bytes]], words: str
) -> None:
    path = tmp_path / "all.gz"
    await backup(full, path)
    before = await content(full)
    _edited(path, edit)
    with pytest.raises(BadBackup, match=words):
        await restore(full, path)
    assert await content(full) == before


@pytest.mark.parametrize("cut", [0, 5, 100, -8, -1])
async def test_a_file_that_was_cut_off_or_touched_is_refused(full: str, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "all.gz"
    await backup(full, path)
    before, whole = await content(full), path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (whole[:cut], bytes(flipped), b"not gzip at all"):
        path.write_bytes(damaged)
        with pytest.raises(BadBackup):
            await restore(full, path)
    assert await content(full) == before


async def test_what_fails_before_the_end_is_undone(full: str, tmp_path: Path) -> None:
    path = tmp_path / "all.gz"
    await backup(full, path)
    connection = await asyncpg.connect(full)
    await connection.execute("UPDATE bots SET nickname = 'changed'")
    await connection.close()
    before = await content(full)

    async def fail(_connection: Any, tables: list[str]) -> None:
        assert "bots" in tables
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await restore(full, path, before_commit=fail)
    assert await content(full) == before


async def test_an_older_schema_is_taken(full: str, tmp_path: Path) -> None:
    path = tmp_path / "all.gz"
    await backup(full, path)

    def older(lines: list[bytes]) -> list[bytes]:
        manifest = {**json.loads(lines[0]), "schema": known_schemas()[-1], "version": 1}
        del manifest["skipped"]
        return [json.dumps(manifest).encode() + b"\n", *lines[1:]]

    _edited(path, older)
    assert (await restore(full, path))["users"] == 2
