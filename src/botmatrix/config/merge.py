"""From the layers to `Settings`: default < file < database < environment < flag."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botmatrix.config import values
from botmatrix.config.about import LOCAL
from botmatrix.config.home import Home
from botmatrix.config.options import BY_KEY, COMPUTED, OPTIONS, Option, nearest
from botmatrix.config.parts import compose_urls
from botmatrix.config.secret import MASK, Secret
from botmatrix.config.settings import BotServer, HttpBot, Inputs, Settings, Source
from botmatrix.config.stored import Stored
from botmatrix.errors import ConfigError

Layer = tuple[Source, Mapping[str, Any]]
STORABLE = {option.key: option for option in OPTIONS if option.key not in LOCAL}
"""What may be kept in the database."""


def resolve(inputs: Inputs, stored: Stored) -> Settings:
    """Every value checked. Raises `ConfigError` for the first one of this machine that is wrong.

    What is wrong in the database is left out with a warning: control has to start, so that it can be mended there.
    """
    warnings = list(inputs.warnings)
    kept = _usable(stored.values, warnings)
    while True:
        settings = _resolved(inputs, kept, stored, warnings)
        try:
            check_together(settings)
        except ConfigError as error:
            if kept.pop(error.key, None) is None:
                raise
            warnings.append(f"database: {error}: not used")
            continue
        return settings


def check_change(inputs: Inputs, stored: Stored, change: Mapping[str, Any]) -> Stored:
    """What the database would hold after a change; None takes a value away.

    Raises `ConfigError` for a key that may not be kept there, a wrong value, or one that does not fit the others.
    """
    for key, raw in change.items():
        if key not in STORABLE:
            raise _not_storable(key, raw)
        if raw is not None:
            read_value(STORABLE[key], raw, "database")
    kept = {key: raw for key, raw in {**stored.values, **change}.items() if raw is not None}
    check_together(_resolved(inputs, _usable(kept, []), stored, []))
    return Stored(kept, stored.generated, stored.bound)


def read_value(option: Option, raw: Any, source: Source) -> Any:
    """One value, checked. Raises `ConfigError` that names the key as the source spells it."""
    try:
        return option.read(raw)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        name = option.variable if source == "environment" else option.key
        shown = MASK if option.secret else raw
        raise ConfigError(name, shown, option.expected) from error


def host_id() -> str:
    """This machine's name, made fit for an id."""
    name = re.sub(r"[^A-Za-z0-9_.\-]", "-", socket.gethostname().split(".")[0])[:40]
    return name.lstrip("_.-") or "host"


def check_together(settings: Settings) -> None:
    """What no value shows alone. Raises `ConfigError`."""
    if not settings.bot_token and not values.is_loopback(settings.gateway_host):
        expected = f"a token, since gateway_host {settings.gateway_host} can be reached from other machines"
        raise ConfigError("bot_token", "", expected)
    same_host = settings.gateway_host == settings.control_host
    if same_host and settings.ws_port == settings.webui_port != 0:
        raise ConfigError("webui_port", settings.webui_port, "another port than ws_port")
    names = [app.name for app in settings.onebot_apps]
    if len(set(names)) != len(names):
        raise ConfigError("onebot_apps", names, "a name of its own for each application")
    posting = [bot.key for bot in settings.bots if isinstance(bot, HttpBot)]
    if len(set(posting)) != len(posting):
        raise ConfigError("bots", posting, "one entry for each bot that speaks HTTP")
    dialled = [bot.url.rstrip("/") for bot in settings.bots if isinstance(bot, BotServer)]
    if len(set(dialled)) != len(dialled):
        raise ConfigError("bots", MASK, "one entry for each server that is dialled")


def unknown(key: str, raw: Any) -> ConfigError:
    """The error for a key that means nothing."""
    near = nearest(key)
    return ConfigError(key, raw, f"a known setting{f', such as {near}' if near else ''}")


def _not_storable(key: str, raw: Any) -> ConfigError:
    option = BY_KEY.get(key)
    if option is None:
        return unknown(key, MASK)
    where = f"a setting that all nodes share: set {key} in config.json, or {option.variable} in the environment"
    return ConfigError(key, MASK if option.secret else raw, where)


def _usable(kept: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    """The values that can be read; the others become warnings."""
    usable = {}
    for key, raw in kept.items():
        try:
            if key not in STORABLE:
                raise _not_storable(key, raw)
            read_value(STORABLE[key], raw, "database")
        except ConfigError as error:
            warnings.append(f"database: {error}: not used")
        else:
            usable[key] = raw
    return usable


def _resolved(inputs: Inputs, kept: Mapping[str, Any], stored: Stored, warnings: list[str]) -> Settings:
    layers: list[Layer] = [
        ("file", inputs.file),
        ("database", kept),
        ("environment", inputs.environment),
        ("flag", inputs.flags),
    ]
    found, sources = _merge(layers)
    odd = list(warnings)
    compose_urls(found, sources, odd)
    _complete(found, inputs.home, stored.generated)
    fields = {option.key: found[option.key] for option in OPTIONS}
    return Settings(home=inputs.home, warnings=tuple(odd), sources=sources, bound=stored.bound, inputs=inputs, **fields)


def _merge(layers: list[Layer]) -> tuple[dict[str, Any], dict[str, Source]]:
    found: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for source, layer in layers:
        for key, raw in layer.items():
            found[key] = read_value(BY_KEY[key], raw, source)
            sources[key] = source
    return found, sources


def _complete(found: dict[str, Any], home: Home, generated: Mapping[str, Any]) -> None:
    """Put in what nobody has set."""
    for option in OPTIONS:
        if option.key not in found and option.default is not COMPUTED:
            found[option.key] = option.default
    machine = host_id()
    found.setdefault("worker_id", f"{machine}-{secrets.token_hex(2)}")
    found.setdefault("nexus_id", f"{machine}-{found['ws_port']}")
    folders = found.get("plugin_dirs", (str(home.plugins),))
    found["plugin_dirs"] = tuple(home.root / Path(folder).expanduser() for folder in folders)
    for key in ("bot_token", "worker_token"):
        if key not in found:
            found[key] = _token(generated.get(key)) or values.secret(home.secret_values()[key])


def _token(raw: Any) -> Secret | None:
    """A generated token as the nodes share it; None when there is none that can be used."""
    try:
        return values.secret(raw) or None
    except ValueError:
        return None
