"""What the database holds: between config.json and the environment, and never in the way of a start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botmatrix.config import OPTIONS, STORABLE, Home, Stored, check_change, load, parse_stored, remember
from botmatrix.config.about import ABOUT, FOR_OWNERS, LOCAL
from botmatrix.errors import ConfigError


def test_it_is_stronger_than_the_file_and_weaker_than_environment_and_flags(home: Path) -> None:
    (home / "config.json").write_text('{"worker_pool": "file", "log_level": "error", "enable_skill": true}')
    stored = Stored({"worker_pool": "database", "log_level": "warning", "max_frame": "1 MiB", "worker_concurrency": 5})
    flags = {"max_frame": "2 MiB"}
    settings = load(home, flags, {"LOG_LEVEL": "debug"}, stored=stored)
    found = {key: (getattr(settings, key), settings.source(key)) for key in ("worker_pool", "log_level", "max_frame")}
    assert found == {
        "worker_pool": ("database", "database"),
        "log_level": ("debug", "environment"),
        "max_frame": (2 * 1024**2, "flag"),
    }
    assert (settings.worker_concurrency, settings.enable_skill) == (5, True)


def test_without_engines_the_last_good_copy_counts(home: Path) -> None:
    remember(Home(home), Stored({"worker_pool": "kept"}, {"bot_token": "shared-by-all"}, ("qq:1",)))
    settings = load(home, {}, {})
    assert (settings.worker_pool, str(settings.bot_token)) == ("kept", "shared-by-all")
    assert settings.commanders == (), "who lost the right since must not have it again"
    assert (home / "settings.json").stat().st_mode & 0o777 == 0o600


def test_a_copy_that_can_not_be_read_is_a_warning(home: Path) -> None:
    (home / "settings.json").write_text('{"values": []}')
    assert "settings.json" in " ".join(load(home, {}, {}).warnings)


def test_generated_tokens_are_shared_and_weaker_than_config_json(home: Path) -> None:
    shared = Stored(generated={"bot_token": "from-the-first-node", "worker_token": ["junk"]})
    settings = load(home, {}, {}, stored=shared)
    assert (str(settings.bot_token), settings.source("bot_token")) == ("from-the-first-node", "default")
    assert settings.worker_token == Home(home).secret_values()["worker_token"]
    (home / "config.json").write_text('{"bot_token": "of-this-node"}')
    assert str(load(home, {}, {}, stored=shared).bot_token) == "of-this-node"


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"worker_concurrency": "many"}, "worker_concurrency"),
        ({"no_such_key": 1}, "no_such_key"),
        ({"redis_url": "redis://elsewhere/0"}, "redis_url"),
        ({"bot_token": ""}, "bot_token"),
    ],
)
def test_what_is_wrong_in_the_database_is_left_out_with_a_warning(home: Path, values: dict[str, Any], key: str) -> None:
    settings = load(home, {"gateway_host": "0.0.0.0"}, {}, stored=Stored({**values, "worker_pool": "fine"}))
    assert settings.worker_pool == "fine"
    assert [warning for warning in settings.warnings if key in warning]
    assert settings.source(key) == "default"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"enable_skill": "perhaps"}, ("enable_skill", "perhaps", "true, 1, false or 0")),
        ({"enable_skil": True}, ("enable_skil", "enable_skill")),
        ({"nexus_id": "a"}, ("nexus_id", "'a'", "NEXUS_ID")),
        ({"database_url": "postgresql://user:secret@host/db"}, ("database_url", "***")),
        ({"pg_host": "host"}, ("pg_host",)),
        ({"bot_token": "two words"}, ("bot_token", "***")),
        ({"chat_admins": ["qq:\ud800"]}, ("chat_admins",)),
    ],
)
def test_a_wrong_change_is_refused_in_words(home: Path, change: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        check_change(load(home, {}, {}).inputs, Stored({"worker_pool": "a"}), change)
    assert all(word in str(refused.value) for word in words)
    assert "secret@" not in str(refused.value)
    assert "two words" not in str(refused.value)


def test_an_empty_token_is_refused_where_others_reach_the_gateway(home: Path) -> None:
    inputs = load(home, {"gateway_host": "0.0.0.0"}, {}).inputs
    with pytest.raises(ConfigError, match="bot_token"):
        check_change(inputs, Stored(), {"bot_token": ""})


def test_null_takes_a_value_away(home: Path) -> None:
    after = check_change(
        load(home, {}, {}).inputs, Stored({"worker_pool": "a", "log_level": "debug"}), {"worker_pool": None}
    )
    assert after.values == {"log_level": "debug"}


def test_a_document_comes_back_as_it_was() -> None:
    stored = Stored({"a": [1, "ü"]}, {"bot_token": "t"}, ("qq:2", "qq:1"))
    again = parse_stored(stored.document())
    assert (again.values, again.generated, again.bound) == (stored.values, stored.generated, ("qq:1", "qq:2"))
    assert "t" not in repr(Stored(generated={"bot_token": "t"})).removeprefix("Stored(bound=()")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"values": 1, "generated": {}, "bound": []}', "[" * 100_000])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="document"):
        parse_stored(text)


def test_every_setting_is_described_and_has_its_place() -> None:
    keys = {option.key for option in OPTIONS}
    assert set(ABOUT) == keys
    assert keys >= LOCAL | FOR_OWNERS
    assert set(STORABLE) == keys - LOCAL
