"""Settings: every key, every source, every error in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from botmatrix.config import (
    OPTIONS,
    BotServer,
    ConfigFileError,
    HttpBot,
    OneBotApp,
    Secret,
    Settings,
    load,
)
from botmatrix.errors import ConfigError


def write(home: Path, content: object) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (home / "config.json").write_text(text)


def from_file(home: Path, content: object) -> Settings:
    write(home, content)
    return load(home, {}, {})


DEFAULTS: dict[str, Any] = {
    "gateway_host": "127.0.0.1",
    "ws_port": 3001,
    "control_host": "127.0.0.1",
    "webui_port": 3002,
    "root_path": "",
    "trusted_proxies": (),
    "redis_url": "",
    "database_url": "",
    "enable_skill": False,
    "default_admin_password": "",
    "worker_pool": "default",
    "worker_concurrency": 64,
    "disabled_plugins": (),
    "safe_mode": False,
    "plugin_grants": (),
    "skill_permissions": (),
    "command_prefixes": ("/",),
    "chat_admins": (),
    "onebot_apps": (),
    "bots": (),
    "message_days": 90,
    "trace_days": 14,
    "max_frame": 16 * 1024 * 1024,
    "log_level": "info",
    "log_format": "console",
}


@pytest.mark.parametrize(("key", "value"), DEFAULTS.items())
def test_default_value(home: Path, key: str, value: object) -> None:
    settings = load(home, {}, {})
    assert getattr(settings, key) == value
    assert settings.source(key) == "default"


def test_defaults_that_depend_on_the_machine(home: Path) -> None:
    settings = load(home, {}, {})
    assert settings.plugin_dirs == (home / "plugins",)
    assert settings.nexus_id.endswith("-3001")
    assert settings.worker_id != load(home, {}, {}).worker_id, "two workers started alone are two"
    assert len(settings.bot_token) >= 24
    assert len(settings.worker_token) >= 24


READ: list[tuple[str, str, object]] = [
    ("gateway_host", "0.0.0.0", "0.0.0.0"),
    ("gateway_host", "[::1]", "::1"),
    ("ws_port", "3301", 3301),
    ("ws_port", ":3301", 3301),
    ("ws_port", "0", 0),
    ("control_host", "localhost", "localhost"),
    ("webui_port", ":80", 80),
    ("root_path", "bots/", "/bots"),
    ("root_path", "/", ""),
    ("trusted_proxies", "10.0.0.1, 10.1.0.0/16", ("10.0.0.1/32", "10.1.0.0/16")),
    ("redis_url", "redis://:x@h:1/0", "redis://:x@h:1/0"),
    ("redis_url", "unix:///run/redis.sock", "unix:///run/redis.sock"),
    ("database_url", "postgres://u:p@h/d", "postgresql://u:p@h/d"),
    ("database_url", "postgresql:///d?host=/run", "postgresql:///d?host=/run"),
    ("bot_token", "abcdef", "abcdef"),
    ("worker_token", "abcdef", "abcdef"),
    ("enable_skill", "true", True),
    ("enable_skill", "TRUE", True),
    ("enable_skill", "1", True),
    ("enable_skill", "False", False),
    ("enable_skill", "0", False),
    ("default_admin_password", "with spaces ünd so", "with spaces ünd so"),
    ("worker_id", "w-1.a_b", "w-1.a_b"),
    ("worker_pool", "slow", "slow"),
    ("worker_concurrency", "8", 8),
    ("disabled_plugins", "echo, ping", ("echo", "ping")),
    ("plugin_grants", "dice:send_msg, dice:*", ("dice:send_msg", "dice:*")),
    ("skill_permissions", "weather:Member,a:b:off", ("weather:member", "a:b:off")),
    ("nexus_id", "n1", "n1"),
    ("command_prefixes", '["/", "!"]', ("/", "!")),
    ("command_prefixes", "/,!", ("/", "!")),
    ("chat_admins", "QQ:1,telegram:abc", ("qq:1", "telegram:abc")),
    ("message_days", "0", 0),
    ("trace_days", "30", 30),
    ("max_frame", "1048576", 1048576),
    ("max_frame", "2 MiB", 2 * 1024 * 1024),
    ("max_frame", "64k", 65536),
    ("log_level", "DEBUG", "debug"),
    ("log_format", "json", "json"),
]


@pytest.mark.parametrize(("key", "raw", "value"), READ)
def test_environment_is_read(home: Path, key: str, raw: str, value: object) -> None:
    settings = load(home, {}, {key.upper(): raw})
    assert getattr(settings, key) == value
    assert settings.source(key) == "environment"


@pytest.mark.parametrize(("key", "raw", "value"), READ)
def test_file_takes_the_texts_of_the_environment(home: Path, key: str, raw: str, value: object) -> None:
    settings = from_file(home, {key: raw})
    assert getattr(settings, key) == value
    assert settings.source(key) == "file"


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("ws_port", 3301, 3301),
        ("enable_skill", True, True),
        ("enable_skill", 0, False),
        ("command_prefixes", [""], ("",)),
        ("chat_admins", ["qq:5"], ("qq:5",)),
        ("max_frame", 4096, 4096),
        ("bots", [{"url": "ws://h:1", "platform": "QQ"}], (BotServer("ws://h:1", platform="qq"),)),
        ("bots", [{"http": "http://h:1/", "self_id": 7}], (HttpBot("http://h:1", "7"),)),
        (
            "bots",
            [{"http": "https://h", "self_id": "w", "platform": "WX", "token": "t", "secret": "s s", "quick": 2}],
            (HttpBot("https://h", "w", Secret("t"), "wx", Secret("s s"), 2.0),),
        ),
        (
            "onebot_apps",
            [{"name": "a", "url": "wss://h", "token": "t", "bots": ["qq:1"], "deliver": "all"}],
            (OneBotApp("a", "wss://h", Secret("t"), ("qq:1",), "all"),),
        ),
    ],
)
def test_file_takes_json_values(home: Path, key: str, raw: object, value: object) -> None:
    assert getattr(from_file(home, {key: raw}), key) == value


WRONG: list[tuple[str, object]] = [
    ("gateway_host", "a b"),
    ("gateway_host", "999.1.1.1"),
    ("gateway_host", ""),
    ("ws_port", "65536"),
    ("ws_port", "-1"),
    ("ws_port", "abc"),
    ("ws_port", True),
    ("ws_port", 3001.5),
    ("webui_port", "::3"),
    ("root_path", "/a b"),
    ("root_path", "/../x"),
    ("trusted_proxies", "10.0.0.0/99"),
    ("redis_url", "http://h"),
    ("redis_url", "redis://"),
    ("redis_url", "redis://h:port/0"),
    ("database_url", "mysql://h/d"),
    ("bot_token", "a b"),
    ("bot_token", "tökén"),
    ("bot_token", 5),
    ("enable_skill", "yes"),
    ("enable_skill", 2),
    ("enable_skill", 1.0),
    ("enable_skill", None),
    ("worker_id", ""),
    ("worker_id", "a b"),
    ("worker_id", "x" * 65),
    ("worker_concurrency", "0"),
    ("chat_admins", ["5"]),
    ("chat_admins", "[1"),
    ("plugin_dirs", {"a": 1}),
    ("max_frame", "5 bananas"),
    ("max_frame", "2 GiB"),
    ("log_level", "loud"),
    ("log_format", "xml"),
    ("bots", [{"url": "http://h"}]),
    ("bots", [{"uri": "ws://h"}]),
    ("bots", [{}]),
    ("bots", [{"http": "ws://h", "self_id": "1"}]),
    ("bots", [{"http": "http://h"}]),
    ("bots", [{"http": "http://h", "self_id": "1", "quick": 60}]),
    ("bots", [{"http": "http://h", "self_id": "1", "url": "ws://h"}]),
    ("bots", [{"http": "http://h", "self_id": "1"}, {"http": "http://i", "self_id": "1"}]),
    ("bots", [{"url": "ws://h:1/a"}, {"url": "ws://h:1/a/", "token": "t"}]),
    ("onebot_apps", [{"url": "ws://h"}]),
    ("onebot_apps", {"name": "a"}),
]


@pytest.mark.parametrize(("key", "raw"), WRONG)
def test_wrong_value_names_the_key_and_what_was_expected(home: Path, key: str, raw: object) -> None:
    with pytest.raises(ConfigError) as caught:
        from_file(home, {key: raw})
    assert caught.value.key == key
    assert caught.value.exit_code == 78
    assert caught.value.expected in str(caught.value)


def test_wrong_value_of_the_environment_is_named_as_it_is_spelled_there(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"ENABLE_SKILL = 'maybe': expected true, 1, false or 0"):
        load(home, {}, {"ENABLE_SKILL": "maybe"})


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.in_environment])
def test_empty_environment_variable_counts_as_not_set(home: Path, option: Any) -> None:
    settings = load(home, {}, {option.variable: ""})
    assert settings.source(option.key) == "default"


def test_flag_beats_environment_beats_file(home: Path) -> None:
    write(home, {"ws_port": 1001, "webui_port": 1002, "log_level": "error"})
    settings = load(home, {"ws_port": "2001", "webui_port": None}, {"WS_PORT": "3301", "WEBUI_PORT": "3302"})
    assert (settings.ws_port, settings.source("ws_port")) == (2001, "flag")
    assert (settings.webui_port, settings.source("webui_port")) == (3302, "environment")
    assert (settings.log_level, settings.source("log_level")) == ("error", "file")


@pytest.mark.parametrize("spelled", ["ENABLE_SKILL", "enable_skill", "Enable_Skill"])
def test_keys_of_the_file_are_compared_without_case(home: Path, spelled: str) -> None:
    assert from_file(home, {spelled: "1"}).enable_skill is True


def test_redis_address_and_password_become_a_url(home: Path) -> None:
    settings = load(home, {}, {"REDIS_ADDR": "redis.lan:6380", "REDIS_PWD": "p@ss/word"})
    assert settings.redis_url == "redis://:p%40ss%2Fword@redis.lan:6380/0"
    assert settings.source("redis_url") == "environment"


def test_redis_address_without_port_or_password(home: Path) -> None:
    assert from_file(home, {"redis_addr": "redis.lan"}).redis_url == "redis://redis.lan:6379/0"
    assert from_file(home, {"redis_addr": "[::1]:7000"}).redis_url == "redis://[::1]:7000/0"


@pytest.mark.parametrize("address", ["h:port", "h/5", ":6379"])
def test_wrong_redis_address(home: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="REDIS_ADDR"):
        from_file(home, {"redis_addr": address})


def test_postgres_parts_become_a_url(home: Path) -> None:
    write(home, {"pg_host": "db.lan", "PG_Port": "5433", "pg_user": "bot matrix", "pg_dbname": "bots"})
    settings = load(home, {}, {"PG_PASSWORD": "p:w", "PG_SSLMODE": "require"})
    assert settings.database_url == "postgresql://bot%20matrix:p%3Aw@db.lan:5433/bots?sslmode=require"


def test_postgres_socket_folder(home: Path) -> None:
    settings = load(home, {}, {"PG_HOST": "/run/postgresql"})
    assert settings.database_url == "postgresql://postgres@/botmatrix?host=/run/postgresql&port=5432"


def test_url_beats_its_parts_from_the_same_source(home: Path) -> None:
    settings = load(home, {}, {"REDIS_URL": "redis://a/0", "REDIS_ADDR": "b:1"})
    assert settings.redis_url == "redis://a/0"
    assert any("REDIS_ADDR" in warning for warning in settings.warnings)


def test_parts_from_a_higher_source_beat_a_url(home: Path) -> None:
    write(home, {"redis_url": "redis://a/0"})
    assert load(home, {}, {"REDIS_ADDR": "b:1"}).redis_url == "redis://b:1/0"


def test_parts_without_an_address_are_mentioned(home: Path) -> None:
    settings = load(home, {}, {"PG_PASSWORD": "secret-word"})
    assert settings.database_url == ""
    assert settings.warnings == ("PG_PASSWORD without PG_HOST: not used",)


def test_unknown_key_is_a_warning_that_names_the_nearest(home: Path) -> None:
    settings = from_file(home, {"enable_skil": True, "zzz": 1})
    first, second = settings.warnings
    assert "enable_skil" in first
    assert "did you mean enable_skill?" in first
    assert "zzz" in second
    assert "did you mean" not in second


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "ws_port": 1,\n  oops\n}', "line 3, column 3"),
        ("[1]", "one JSON object"),
        ('{"a": 1, "a": 2}', "'a' stands there twice"),
        ('{"ws_port": 1, "WS_PORT": 2}', "ws_port stands there twice"),
        ('{"ws_port": 1', "line 1"),
        ("\x00", "line 1, column 1"),
    ],
)
def test_unusable_file_says_where_and_why(home: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigFileError) as caught:
        from_file(home, text)
    assert words in str(caught.value)
    assert "config.json" in str(caught.value)
    assert caught.value.exit_code == 78


def test_file_that_is_no_utf8_is_refused(home: Path) -> None:
    (home / "config.json").write_bytes(b'{"log_level": "\xff"}')
    with pytest.raises(ConfigFileError):
        load(home, {}, {})


@pytest.mark.parametrize("text", ["", "  \n", "\ufeff{}"])
def test_empty_file_and_byte_order_mark_are_fine(home: Path, text: str) -> None:
    assert from_file(home, text).ws_port == 3001


def test_open_gateway_needs_a_token(home: Path) -> None:
    write(home, {"bot_token": "", "gateway_host": "0.0.0.0"})
    with pytest.raises(ConfigError, match=r"bot_token = ''.*0\.0\.0\.0"):
        load(home, {}, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.5.5.5"])
def test_loopback_gateway_may_have_an_empty_token(home: Path, host: str) -> None:
    settings = from_file(home, {"bot_token": "", "gateway_host": host})
    assert settings.bot_token == ""
    assert settings.source("bot_token") == "file"


def test_open_gateway_with_a_generated_token_is_fine(home: Path) -> None:
    assert load(home, {}, {"GATEWAY_HOST": "0.0.0.0"}).bot_token


def test_both_servers_on_one_port_are_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="webui_port"):
        load(home, {}, {"WEBUI_PORT": "3001"})


def test_applications_need_names_of_their_own(home: Path) -> None:
    app = {"name": "a", "url": "ws://h"}
    with pytest.raises(ConfigError, match="onebot_apps"):
        from_file(home, {"onebot_apps": [app, app]})


def test_plugin_folders_are_relative_to_home(home: Path) -> None:
    settings = from_file(home, {"plugin_dirs": ["mine", "/opt/plugins"]})
    assert settings.plugin_dirs == (home / "mine", Path("/opt/plugins"))
