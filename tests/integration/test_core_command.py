"""`botmatrix core` on real engines."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest
from tests.postgres import run_apart

from botmatrix.cli.main import run


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch, home: Path, redis_url: str, database_url: str) -> None:
    monkeypatch.setenv("BOTMATRIX_HOME", str(home))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", database_url)


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, bool]]:
    capsys.readouterr()
    assert run(["core", "show"]) == 0
    found: dict[str, dict[str, bool]] = json.loads(capsys.readouterr().out)
    return found


def test_closing_and_opening(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["core", "close"]) == 0
    assert "Version 1 is in force" in capsys.readouterr().out
    assert shown(capsys)["system_control"]["open"] is False
    assert run(["core", "open"]) == 0
    assert shown(capsys)["system_control"]["open"] is True


def test_who_closed_it_is_in_the_operation_log(capsys: pytest.CaptureFixture[str], database_url: str) -> None:
    async def look() -> list[tuple[str, ...]]:
        connection = await asyncpg.connect(database_url)
        try:
            rows = await connection.fetch('SELECT via, what, "before", "after" FROM audit')
        finally:
            await connection.close()
        return [tuple(row) for row in rows]

    assert run(["core", "close"]) == 0
    assert run_apart(look()) == [
        ("cli", "core.change", '{"system_control.open": true}', '{"system_control.open": false}')
    ]


def test_a_database_that_nothing_used_is_no_hindrance(
    capsys: pytest.CaptureFixture[str], empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    assert shown(capsys)["system_control"]["open"] is True


def test_a_file_changes_what_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "change.json"
    document.write_text('{"system_control": {"maintenance_mode": true}}')
    assert run(["core", "set", str(document)]) == 0
    control = shown(capsys)["system_control"]
    assert (control["maintenance_mode"], control["open"]) == (True, True)


@pytest.mark.parametrize(("text", "words"), [("{", "JSON"), ("[]", "object"), ('{"oops": 1}', "oops")])
def test_what_can_not_be_used_is_said(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "change.json"
    document.write_text(text)
    assert run(["core", "set", str(document)]) == 1
    assert words in capsys.readouterr().err
