"""`botmatrix route test` needs no engine and ends with 1 when a case fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from botmatrix.cli.main import run

RULES = "rules:\n- {key: user_1, target: w1}\n- {key: '*', target: 'pool:rest'}\n"


def check(folder: Path, cases: str, rules: str = RULES) -> int:
    (folder / "rules.yaml").write_text(rules)
    (folder / "cases.yaml").write_text(cases)
    return run(["route", "test", str(folder / "rules.yaml"), str(folder / "cases.yaml")])


def test_cases_that_pass_are_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "cases:\n- {user: 1, target: w1}\n- {user: 2, rule: '*'}\n") == 0
    assert "2 of 2 cases passed" in capsys.readouterr().out


def test_a_case_that_fails_is_exit_1_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "cases:\n- {name: first, user: 2, target: w1}\n") == 1
    assert "FAILED  first: should go to w1, but the rule * sends it to pool:rest" in capsys.readouterr().out


def test_a_file_that_is_wrong_is_exit_1_with_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "cases: []", rules="- {key: user_, target: w1}") == 1
    assert "user_" in capsys.readouterr().err


def test_a_wrong_target_is_refused_before_any_engine_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["route", "set", "user_1", "no spaces"]) == 1
    assert "target: must be a worker's id" in capsys.readouterr().err
