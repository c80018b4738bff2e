"""`botmatrix config` on real engines."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.settings import Published, SettingsBox
from botmatrix.cli.main import run
from botmatrix.config import parse_stored


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch, home: Path, redis_url: str, database_url: str) -> None:
    monkeypatch.setenv("BOTMATRIX_HOME", str(home))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", database_url)


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[object, str]]:
    capsys.readouterr()
    assert run(["config", "show", "--json"]) == 0
    return {row["key"]: (row["value"], row["source"]) for row in json.loads(capsys.readouterr().out)}


async def published(url: str) -> Published | None:
    box = SettingsBox(Client(url, name="tests"), Keys())
    try:
        return await box.read()
    finally:
        await box.close()


def test_a_value_is_kept_in_the_database_and_told_to_every_part(
    redis_url: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "set", "LOG_LEVEL", "debug"]) == 0
    assert "at once" in capsys.readouterr().out
    assert run(["config", "set", "worker_concurrency", "5"]) == 0
    assert "restart" in capsys.readouterr().out
    assert not (home / "config.json").exists()
    (home / "settings.json").unlink()
    found = shown(capsys)
    assert (found["log_level"], found["worker_concurrency"]) == (("debug", "database"), (5, "database"))
    document = asyncio.run(published(redis_url))
    assert document is not None
    assert parse_stored(document.document).values == {"log_level": "debug", "worker_concurrency": 5}
    assert run(["config", "set", "log_level", "null"]) == 0
    assert shown(capsys)["log_level"] == ("info", "default")


def test_a_wrong_value_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "enable_skill", "perhaps"]) == 78
    assert "perhaps" in capsys.readouterr().err
    assert shown(capsys)["enable_skill"] == (False, "default")


def test_what_each_node_has_of_its_own_goes_to_its_file(home: Path) -> None:
    assert run(["config", "set", "ws_port", "4001"]) == 0
    assert json.loads((home / "config.json").read_text()) == {"ws_port": 4001}


def test_a_stronger_environment_is_mentioned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "error")
    assert run(["config", "set", "log_level", "debug"]) == 0
    assert "LOG_LEVEL" in capsys.readouterr().err


def test_a_token_is_written_down_masked_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "bot_token", "brand-new-token"]) == 0
    assert "brand-new-token" not in str(shown(capsys))


def test_without_engines_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.delenv("DATABASE_URL")
    assert run(["config", "set", "log_level", "debug"]) == 69
    assert "--file" in capsys.readouterr().err
    assert run(["config", "set", "--file", "log_level", "debug"]) == 0
    assert shown(capsys)["log_level"] == ("debug", "file")
