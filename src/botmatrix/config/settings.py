"""The settings, typed. Their meaning is in docs/configuration.md, their table in `options.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from botmatrix.config.home import Home
from botmatrix.config.secret import Secret

NO_TOKEN = Secret("")

Source = Literal["default", "file", "database", "environment", "flag"]


@dataclass(frozen=True, slots=True)
class BotServer:
    """A bot's own WebSocket server, which the nexus dials."""

    url: str
    token: Secret = NO_TOKEN
    platform: str = "qq"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must never be shown."""
        return (self.token,)


EVERYBODY = "*"
"""Stands for every worker in a list of their ids."""


@dataclass(frozen=True, slots=True)
class HttpBot:
    """A bot that is reached over HTTP only: it posts its events to the gateway, and takes actions at `http`.

    `secret` signs what it posts. `quick`: seconds for which an event may wait for a quick operation, 0: none.
    `direct`: ids of the workers that may ask its HTTP API themselves; `*`: all of them.
    """

    http: str
    self_id: str
    token: Secret = NO_TOKEN
    platform: str = "qq"
    secret: Secret = NO_TOKEN
    quick: float = 0.0
    direct: tuple[str, ...] = ()

    def lets(self, worker_id: str) -> bool:
        """Whether this worker may ask the HTTP API itself."""
        return worker_id in self.direct or EVERYBODY in self.direct

    @property
    def key(self) -> str:
        """`platform:self_id`."""
        return f"{self.platform}:{self.self_id}"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must never be shown."""
        return (self.token, self.secret)


@dataclass(frozen=True, slots=True)
class OneBotApp:
    """An OneBot application that the nexus dials, once per bot.

    `bots`: bot keys, empty means every bot. `deliver`: `one` of a bot's applications gets an event, or this one gets a
    copy of `all` of them. `format`: messages go out as they came (empty), or as an `array` of segments.
    """

    name: str
    url: str
    token: Secret = NO_TOKEN
    bots: tuple[str, ...] = ()
    deliver: str = "one"
    format: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was read on this machine, unchecked: all that is needed to put the settings together again."""

    home: Home
    file: Mapping[str, Any] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    flags: Mapping[str, Any] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One process's settings, checked. `source(key)` says where a value came from."""

    home: Home
    gateway_host: str
    ws_port: int
    control_host: str
    webui_port: int
    root_path: str
    trusted_proxies: tuple[str, ...]
    redis_url: Secret
    """Empty: `botmatrix up` runs a Valkey of its own."""
    database_url: Secret
    """`postgresql://...`; empty: `botmatrix up` runs a PostgreSQL of its own."""
    bot_token: Secret
    """Empty only when it was set so on purpose, which a loopback gateway allows."""
    worker_token: Secret
    enable_skill: bool
    default_admin_password: Secret
    """Empty: one is generated at the first start."""
    worker_id: str
    worker_pool: str
    worker_concurrency: int
    plugin_dirs: tuple[Path, ...]
    disabled_plugins: tuple[str, ...]
    plugin_grants: tuple[str, ...]
    """`PLUGIN:ACTION`: an isolated plugin that is named here may do only this, of what it asks for."""
    skill_permissions: tuple[str, ...]
    """`NAME:PERMISSION`: who may use a skill, whatever its plugin says."""
    safe_mode: bool
    """Load the plugins that BotMatrix brings along, and no others."""
    record_sessions: bool
    """Write the history of every person, even when no plugin of the worker asks for it."""
    audit_days: int
    nexus_id: str
    command_prefixes: tuple[str, ...]
    chat_admins: tuple[str, ...]
    onebot_apps: tuple[OneBotApp, ...]
    bots: tuple[BotServer | HttpBot, ...]
    message_days: int
    """For how many days what was said is kept; 0: not at all."""
    trace_days: int
    """The same for the roads of events."""
    max_frame: int
    """Bytes."""
    smtp_url: Secret
    """The mail server of alerts; empty: none."""
    mail_from: str
    """Empty: the account at the mail server."""
    log_level: str
    log_format: str
    warnings: tuple[str, ...] = ()
    """What was odd but not wrong, in words, for the log."""
    sources: Mapping[str, Source] = field(default_factory=dict, repr=False)
    bound: tuple[str, ...] = ()
    """Console users who may command the hub from chat, beside `chat_admins`."""
    inputs: Inputs = field(repr=False, compare=False)

    def source(self, key: str) -> Source:
        """Where the value of `key` came from."""
        return self.sources.get(key, "default")

    @property
    def commanders(self) -> tuple[str, ...]:
        """Everybody who may command the hub from chat: `platform:user_id`."""
        return tuple(dict.fromkeys((*self.chat_admins, *self.bound)))

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for masking in logs."""
        values = [self.bot_token, self.worker_token, self.default_admin_password, self.smtp_url]
        values += [app.token for app in self.onebot_apps] + [secret for bot in self.bots for secret in bot.secrets]
        return tuple(str(value) for value in values if value)
