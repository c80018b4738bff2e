"""`botmatrix route` on real engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.postgres import run_apart

from botmatrix.cli.main import run

Command = Callable[..., int]


@pytest.fixture
def command(tmp_path: Path, redis_url: str, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command on engines that nothing ever used."""
    monkeypatch.setenv("BOTMATRIX_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", empty_database)
    return lambda *words: run(["route", *words])


def log(url: str) -> list[Any]:
    """The operation log: what, which rule, before, after."""

    async def look() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch('SELECT what, object, "before", "after" FROM audit ORDER BY id')
        finally:
            await connection.close()
        return [(row[0], row[1], *(json.loads(one) if one else None for one in row[2:])) for row in rows]

    return run_apart(look())


def test_rules_are_set_listed_explained_and_unset(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("set", "group_456", "w1, pool:vip", "--fallback", "wait", "--deliver", "all") == 0
    said = capsys.readouterr().out
    assert "w1 takes no events now; until it does, the fallback is wait" in said
    assert command("list", "--json") == 0
    rule = {"key": "group_456", "target": "w1,pool:vip", "priority": 0, "fallback": "wait", "deliver": "all"}
    assert json.loads(capsys.readouterr().out) == [{**rule, "disabled": False}]
    assert command("explain", "--group", "456", "--user", "7", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["rule"]["rule"]["key"]) == ("parked", "group_456")
    assert [way["target"] for way in found["ways"]] == ["w1", "pool:vip"]
    assert command("explain", "--group", "456", "--text", "hello") == 0
    said = capsys.readouterr().out
    assert "group:456: parked. The rule group_456 sends a copy to each of w1" in said
    assert "- if the platform sends it again within 120 s, that is taken for a duplicate and dropped\n" in said
    assert command("unset", "group_456") == 0
    assert command("unset", "group_456") == 1
    assert "there is no routing rule for 'group_456'" in capsys.readouterr().err


def test_a_file_is_imported_whole_exported_as_it_was_and_written_down(
    command: Command, empty_database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yaml"
    text = (
        "rules:\n- key: '*_test'\n  target: w1\n- key: '*'\n  target: w2,w3\n  priority: 2\n"
        "  fallback: wait\n  deliver: all\n"
    )
    file.write_text(text)
    assert command("set", "user_1", "w9") == 0
    assert command("import", str(file), "--replace") == 0
    capsys.readouterr()
    assert command("export") == 0
    assert capsys.readouterr().out == text
    file.write_text("- {key: a, target: w1}\n- {key: b, target: 'w 2'}\n")
    assert command("import", str(file)) == 1
    capsys.readouterr()
    assert command("export") == 0
    assert capsys.readouterr().out == text
    first, second = log(empty_database)
    assert first == ("route.set", "user_1", None, {"key": "user_1", "target": "w9"})
    assert second[:3] == ("route.import", "2 rules", {"count": 1, "rules": [{"key": "user_1", "target": "w9"}]})
    assert (second[3]["count"], second[3]["rules"][0]) == (2, {"key": "*_test", "target": "w1"})


def test_with_the_skill_system_on_a_rule_is_explained_before_anything_ran(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENABLE_SKILL", "1")
    assert command("explain", "--user", "7") == 0
    assert "private:7: parked." in capsys.readouterr().out
