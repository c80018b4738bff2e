"""The data folder, and the secrets that are kept in it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from botmatrix.config import load
from botmatrix.errors import ConfigError


def test_home_is_named_by_the_environment(tmp_path: Path) -> None:
    settings = load(None, {}, {"BOTMATRIX_HOME": str(tmp_path / "here")})
    assert settings.home.root == tmp_path / "here"
    assert settings.home.secrets.exists()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_home_is_private(tmp_path: Path) -> None:
    home = load(tmp_path / "new" / "home", {}, {}).home
    assert mode(home.root) == 0o700
    assert mode(home.secrets) == 0o600
    assert {mode(folder) for folder in (home.plugins, home.logs, home.run, home.spool)} == {0o700}


def test_tokens_are_generated_once(home: Path) -> None:
    first, second = load(home, {}, {}), load(home, {}, {})
    assert first.bot_token == second.bot_token
    assert first.bot_token != first.worker_token


def test_processes_that_start_together_agree_on_the_tokens(home: Path) -> None:
    barrier, found = threading.Barrier(8), []

    def start() -> None:
        barrier.wait()
        found.append(str(load(home, {}, {}).bot_token))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_secrets_that_others_could_read_are_closed(home: Path) -> None:
    secrets = load(home, {}, {}).home.secrets
    secrets.chmod(0o644)
    load(home, {}, {})
    assert mode(secrets) == 0o600


def test_broken_secrets_file_is_not_replaced(home: Path) -> None:
    (home / "secrets.json").write_text("{")
    with pytest.raises(ConfigError, match=r"secrets\.json"):
        load(home, {}, {})
    assert (home / "secrets.json").read_text() == "{"


def test_home_that_is_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="BOTMATRIX_HOME"):
        load(tmp_path / "file" / "home", {}, {})
