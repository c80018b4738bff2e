"""`botmatrix user` and `botmatrix db` on a real PostgreSQL."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.postgres import run_apart

from botmatrix.bus.binding import BindBox
from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.cli.main import run
from botmatrix.store.bindings import Bindings
from botmatrix.store.engine import Database
from botmatrix.store.migrate import upgrade

Command = Callable[..., int]


@pytest.fixture
def command(tmp_path: Path, redis_url: str, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command on a database that nothing ever used; `given` is its standard input."""
    monkeypatch.setenv("BOTMATRIX_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", empty_database)

    def call(*words: str, given: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        return run(words)

    return call


def rows(url: str, query: str) -> list[Any]:
    async def look() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return run_apart(look())


def test_users_are_managed_before_anything_else_was_started(
    command: Command, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("user", "list") == 0
    assert capsys.readouterr().out == "There is nobody yet.\n"
    assert command("user", "add", "Anna", "--role", "owner", given="a long password 1\n") == 0
    assert command("user", "add", "bert", given="a long password 2\n") == 0
    assert command("user", "role", "bert", "operator") == 0
    assert command("user", "passwd", "bert", given="canary password\n") == 0
    assert command("user", "disable", "bert") == 0
    assert command("user", "role", "anna", "viewer") == 1, "the last owner"
    assert command("user", "role", "bert", "emperor") == 2
    capsys.readouterr()
    assert command("user", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"username": "Anna", "role": "owner", "disabled": False},
        {"username": "bert", "role": "operator", "disabled": True},
    ]
    log = rows(empty_database, "SELECT what, object, via, who LIKE 'cli:%', audit::text LIKE '%canary%' FROM audit")
    assert log == [
        ("user.create", "Anna", "cli", True, False),
        ("user.create", "bert", "cli", True, False),
        ("user.edit", "bert", "cli", True, False),
        ("user.password", "bert", "cli", True, False),
        ("user.disable", "bert", "cli", True, False),
    ]


def test_tables_of_an_older_version_are_upgraded_when_somebody_says_so(
    command: Command, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("db", "upgrade") == 0
    assert "0001" in capsys.readouterr().out
    assert command("db", "upgrade") == 0
    assert capsys.readouterr().out == "The tables are up to date.\n"
    rows(empty_database, "UPDATE alembic_version SET version_num = '0001'")
    assert command("user", "list") == 78
    assert "botmatrix db upgrade" in capsys.readouterr().err


def test_tables_of_a_newer_version_are_not_touched(
    command: Command, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_apart(upgrade(empty_database, part="tests"))
    rows(empty_database, "UPDATE alembic_version SET version_num = '9999'")
    for words in (["user", "list"], ["db", "upgrade"]):
        assert command(*words) == 78
        assert "newer version" in capsys.readouterr().err


def test_a_database_that_is_away_is_said_in_words(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:canary@127.0.0.1:1/none")
    for words in (["user", "list"], ["db", "upgrade"]):
        assert command(*words) == 69
        said = capsys.readouterr().err
        assert "PostgreSQL" in said
        assert "canary" not in said
        assert "Traceback" not in said


def test_bindings_are_made_listed_and_ended(
    command: Command, empty_database: str, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("user", "add", "Anna", "--role", "owner", given="a long password 1\n") == 0
    assert command("user", "bind", "nobody") == 1
    capsys.readouterr()
    assert command("user", "bind", "anna") == 0
    code = capsys.readouterr().out.split("/bind ")[1].strip()

    async def say() -> None:
        client = Client(redis_url, name="test")
        codes, database = BindBox(client, Keys()), Database(empty_database, part="tests")
        assert (await codes.say(code, "qq:7")).bound
        ((who, user_id),) = (await codes.claims()).items()
        assert await Bindings(database).add(who, user_id)
        await client.close()
        await database.close()

    run_apart(say())
    assert command("user", "bindings", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"identity": "qq:7", "username": "Anna", "counts": True}]
    assert command("user", "unbind", "qq:7") == 0
    assert command("user", "unbind", "qq:7") == 1
    capsys.readouterr()
    assert command("user", "bindings") == 0
    assert capsys.readouterr().out == "Nobody is bound.\n"
    log = rows(empty_database, "SELECT what, object FROM audit ORDER BY id")
    assert log[1:] == [("user.code", "Anna"), ("user.bind", "qq:7"), ("user.unbind", "qq:7")]
