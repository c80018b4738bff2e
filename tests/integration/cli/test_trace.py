"""`botmatrix trace` on real engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from botmatrix.cli.main import run


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch, home: Path, redis_url: str, empty_database: str) -> None:
    monkeypatch.setenv("BOTMATRIX_HOME", str(home))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", empty_database)


def test_before_anything_ran_nothing_was_traced(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace"]) == 0
    assert "Nothing was traced" in capsys.readouterr().out
    assert run(["trace", "0123456789abcdef01234567"]) == 1
    assert "nothing is known of event '0123456789abcdef01234567'" in capsys.readouterr().err
    assert run(["trace", "no-id"]) == 1
    assert "is no event's id" in capsys.readouterr().err
