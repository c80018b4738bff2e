"""The table of settings: name, reader, what is expected, default."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botmatrix.config import values
from botmatrix.config.secret import Secret
from botmatrix.config.servers import bot_server, onebot_app

COMPUTED = object()
"""Marks a default that depends on the machine or the data folder: see `load.py`."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its key in `config.json`; the environment variable is the key in capitals."""

    key: str
    read: Callable[[Any], Any]
    expected: str
    default: Any = COMPUTED
    secret: bool = False
    hot: bool = False
    """Takes effect at once; others need a restart."""
    in_environment: bool = True

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return self.key.upper()


_PORT = "a port from 0 to 65535 (0: any free one)"
_HOST = "a host name or an IP address"
_ID = "letters, digits, _ . -, at most 64, the first a letter or digit"
_TOKEN = "visible ASCII characters without spaces"  # noqa: S105 - words for people
_REDIS = "redis://[:password@]host:port/db (or rediss://, unix://)"
_POSTGRES = "postgresql://user:password@host:port/database (or ?host=/socket/folder)"
_SMTP = "smtp://[user:password@]host[:port], or smtps://"
_BOTS = (
    '[{"url": "ws://host:port", "token": "...", "platform": "qq"}], or for a bot that speaks only HTTP '
    '[{"http": "http://host:port", "self_id": "1", "platform": "qq", "token": "...", "secret": "...", "quick": 0, '
    '"direct": ["worker id"]}]'
)
_APPS = (
    '[{"name": "...", "url": "ws://...", "token": "...", "bots": ["qq:1"], "deliver": "one" or "all", '
    '"format": "" or "array"}]'
)

OPTIONS: tuple[Option, ...] = (
    Option("gateway_host", values.host, _HOST, "127.0.0.1"),
    Option("ws_port", values.port, _PORT, 3001),
    Option("control_host", values.host, _HOST, "127.0.0.1"),
    Option("webui_port", values.port, _PORT, 3002),
    Option("root_path", values.root_path, "a path such as /bots", ""),
    Option("trusted_proxies", values.listed(values.network), "a list of addresses or networks", ()),
    Option("redis_url", values.url("redis", "rediss", "unix"), _REDIS, Secret(""), secret=True),
    Option(
        "database_url",
        values.url("postgresql", "postgres", "postgresql+asyncpg", default="postgresql"),
        _POSTGRES,
        Secret(""),
        secret=True,
    ),
    Option("bot_token", values.secret, _TOKEN, secret=True, hot=True),
    Option("worker_token", values.secret, _TOKEN, secret=True, hot=True),
    Option("enable_skill", values.flag, "true, 1, false or 0", False),
    Option("default_admin_password", values.password, "text on one line", Secret(""), secret=True),
    Option("worker_id", values.identifier, _ID),
    Option("worker_pool", values.identifier, _ID, "default"),
    Option("worker_concurrency", values.whole(1, 10_000), "a number from 1 to 10000", 64),
    Option("plugin_dirs", values.listed(values.text, os.pathsep), "a list of folders"),
    Option("disabled_plugins", values.listed(values.text), "a list of plugin ids", ()),
    Option("plugin_grants", values.listed(values.grant), 'a list of grants such as ["dice:get_group_info"]', ()),
    Option(
        "skill_permissions",
        values.listed(values.skill_permission),
        'a list such as ["weather:member"], of public, member, admin, owner, off',
        (),
        hot=True,
    ),
    Option("safe_mode", values.flag, "true, 1, false or 0", False),
    Option("record_sessions", values.flag, "true, 1, false or 0", False),
    Option("audit_days", values.whole(1, 36_500), "a number of days from 1 to 36500", 365),
    Option("nexus_id", values.identifier, _ID),
    Option("command_prefixes", values.listed(values.text), 'a list of prefixes such as ["/"]', ("/",), hot=True),
    Option("chat_admins", values.listed(values.person), 'a list of people such as ["qq:123"]', (), hot=True),
    Option("onebot_apps", values.listed(onebot_app), _APPS, (), True, True, in_environment=False),
    Option("bots", values.listed(bot_server), _BOTS, (), True, True, in_environment=False),
    Option("message_days", values.whole(0, 3650), "a number of days from 0 to 3650", 90),
    Option("trace_days", values.whole(0, 3650), "a number of days from 0 to 3650", 14),
    Option("max_frame", values.size, 'bytes, or a size such as "16 MiB" (1 KiB to 1 GiB)', 16 * 1024**2),
    Option("smtp_url", values.url("smtp", "smtps"), _SMTP, Secret(""), secret=True, hot=True),
    Option("mail_from", values.text, "a mail address", "", hot=True),
    Option(
        "log_level",
        values.choice("debug", "info", "warning", "error"),
        "debug, info, warning or error",
        "info",
        hot=True,
    ),
    Option("log_format", values.choice("console", "json"), "console or json", "console"),
)

PARTS: tuple[Option, ...] = (
    Option("redis_addr", values.text, "host:port"),
    Option("redis_pwd", values.password, "text on one line", secret=True),
    Option("pg_host", values.text, "a host name, an address or a socket folder"),
    Option("pg_port", values.whole(1, 65535), "a port from 1 to 65535", 5432),
    Option("pg_user", values.text, "a user name", "postgres"),
    Option("pg_password", values.password, "text on one line", Secret(""), secret=True),
    Option("pg_dbname", values.text, "the name of a database", "botmatrix"),
    Option(
        "pg_sslmode",
        values.choice("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        "disable, allow, prefer, require, verify-ca or verify-full",
        "",
    ),
)
"""Pieces of `redis_url` and `database_url`, under the names that earlier installations use."""

BY_KEY: Mapping[str, Option] = {option.key: option for option in (*OPTIONS, *PARTS)}


def nearest(word: str) -> str:
    """The known key that looks most like `word`, or an empty string."""
    found = difflib.get_close_matches(word.lower(), BY_KEY, n=1, cutoff=0.6)
    return found[0] if found else ""
