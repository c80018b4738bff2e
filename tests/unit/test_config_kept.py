"""Settings: secrets stay secret, and what is saved keeps the rest of the file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from tests.unit.test_config import write

from botmatrix.config import Home, Secret, load, save_value
from botmatrix.errors import ConfigError


def test_wrong_secret_is_not_shown(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, {}, {"REDIS_URL": "rediss//:hunter22@h"})
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("", ""),
        ("token", "***"),
        ("redis://:pass@h:1/0", "redis://:***@h:1/0"),
        ("postgresql://u:p%40@h/d?x=1", "postgresql://u:***@h/d?x=1"),
        ("redis://h:1/0", "redis://h:1/0"),
    ],
)
def test_secret_shows_itself_masked(value: str, masked: str) -> None:
    secret = Secret(value)
    assert repr(secret) == f"Secret({masked!r})"
    assert secret == value


def test_settings_never_show_secrets(home: Path) -> None:
    write(home, {"bots": [{"http": "http://h", "self_id": 1, "token": "bot-canary", "secret": "bot-canary"}]})
    environ = {
        "BOT_TOKEN": "token-canary",
        "REDIS_URL": "redis://:redis-canary@h:1/0",
        "DEFAULT_ADMIN_PASSWORD": "admin-canary",
    }
    assert "canary" not in repr(load(home, {}, environ))


def test_saved_value_keeps_the_rest_and_the_spelling(home: Path) -> None:
    write(home, {"WS_PORT": 1, "other": [1]})
    save_value(Home(home), "ws_port", 4001)
    assert json.loads((home / "config.json").read_text()) == {"WS_PORT": 4001, "other": [1]}
    assert stat.S_IMODE((home / "config.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(("key", "raw"), [("ws_port", "x"), ("nonsense", 1)])
def test_wrong_value_is_not_saved(home: Path, key: str, raw: object) -> None:
    write(home, {"ws_port": 1})
    with pytest.raises(ConfigError):
        save_value(Home(home), key, raw)
    assert json.loads((home / "config.json").read_text()) == {"ws_port": 1}
