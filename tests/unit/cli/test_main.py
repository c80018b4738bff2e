"""The command line: usage, exit codes, words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from botmatrix.cli.main import hoist, run
from botmatrix.config import load
from botmatrix.version import VERSION


@pytest.fixture(autouse=True)
def _only_this_home(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("REDIS_URL", "DATABASE_URL", "WS_PORT", "WEBUI_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOTMATRIX_HOME", str(home))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["up"], ["up"]),
        (["up", "--home", "/x"], ["--home", "/x", "up"]),
        (["bot", "list", "--home=/x", "--json"], ["--home=/x", "bot", "list", "--json"]),
        (["--home", "/x", "up"], ["--home", "/x", "up"]),
        (["x", "--", "--home", "/y"], ["x", "--", "--home", "/y"]),
        (["up", "--home"], ["--home", "up"]),
    ],
)
def test_home_may_stand_anywhere(given: list[str], wanted: list[str]) -> None:
    assert hoist(given) == wanted


COMMANDS = (
    *("up", "nexus", "control", "worker", "doctor", "sim"),
    *("bot", "queue", "route", "core", "config", "user", "db", "version"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_version_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    assert capsys.readouterr().out == f"{VERSION}\n"


@pytest.mark.parametrize(
    "words", [["nonsense"], ["up", "--nonsense"], ["config", "set", "ws_port"], ["queue", "replay"]]
)
def test_wrong_usage_is_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert "Usage" in capsys.readouterr().err


def test_replay_wants_one_letter_or_all_but_not_both() -> None:
    assert run(["queue", "replay", "1-0", "--all"]) == 2


@pytest.mark.parametrize("command", ["replay", "purge"])
def test_what_is_no_letter_is_said_in_words(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["queue", command, "nonsense"]) == 1
    assert "there is no dead letter 'nonsense'" in capsys.readouterr().err


def test_wrong_setting_is_exit_78_in_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.json").write_text('{"ws_port": "x"}')
    assert run(["config", "check"]) == 78
    assert capsys.readouterr().err == ("botmatrix: ws_port = 'x': expected a port from 0 to 65535 (0: any free one)\n")


@pytest.mark.parametrize(
    "words", [["bot", "list"], ["worker", "list"], ["queue", "stats"], ["worker", "run"], ["nexus"]]
)
def test_without_engines_is_exit_69_and_says_what_to_do(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 69
    assert "Start `botmatrix up`" in capsys.readouterr().err


def test_users_want_a_database(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    assert run(["user", "list"]) == 69
    assert "database_url" in capsys.readouterr().err


def test_warning_goes_to_standard_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.json").write_text('{"ws_prot": 1}')
    assert run(["config", "show", "--json"]) == 0
    shown = capsys.readouterr()
    assert "did you mean ws_port?" in shown.err
    json.loads(shown.out)


def test_shown_settings_have_sources_and_no_secrets(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.json").write_text(
        '{"redis_url": "redis://:canary-1@h:1/0", "bots": [{"url": "ws://h", "token": "canary-2"}],'
        ' "bot_token": "canary-3"}'
    )
    for words in (["config", "show"], ["config", "show", "--json"]):
        assert run(words) == 0
        shown = capsys.readouterr().out
        assert "canary" not in shown
        assert "redis://:***@h:1/0" in shown
        assert "file" in shown


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("ws_port", "4001", 4001),
        ("WS_PORT", ":4001", ":4001"),
        ("enable_skill", "true", True),
        ("chat_admins", '["qq:1"]', ["qq:1"]),
        ("bot_token", "12345678", "12345678"),
    ],
)
def test_setting_is_written(home: Path, key: str, value: str, found: object) -> None:
    assert run(["config", "set", "--file", key, value]) == 0
    assert list(json.loads((home / "config.json").read_text()).values()) == [found]
    load(home, {}, {})


def test_setting_can_be_repaired_while_it_is_wrong(home: Path) -> None:
    (home / "config.json").write_text('{"ws_port": "x"}')
    assert run(["config", "set", "ws_port", "4001"]) == 0
    assert run(["config", "check"]) == 0


def test_setting_that_contradicts_another_is_told_at_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "gateway_host", "0.0.0.0"]) == 0
    assert run(["config", "set", "bot_token", ""]) == 78
    assert run(["config", "set", "--file", "bot_token", ""]) == 78
    said = capsys.readouterr()
    assert "Written to" in said.out
    assert "expected a token, since gateway_host 0.0.0.0" in said.err
    assert run(["config", "set", "gateway_host", "127.0.0.1"]) == 0


def test_unknown_setting_is_not_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "ws_prot", "1"]) == 78
    assert "ws_port" in capsys.readouterr().err
    assert not (home / "config.json").exists()


def test_doctor_without_engines_tells_what_up_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "--json"])
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert "will run its own" in findings["Redis"]["found"]
    assert "will run its own" in findings["PostgreSQL"]["found"]
    assert findings["bot_token"]["state"] == "ok"


def test_doctor_fails_for_an_engine_that_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:canary@127.0.0.1:1/0")
    assert run(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "FAIL  Redis" in shown
    assert "->" in shown
    assert "canary" not in shown
