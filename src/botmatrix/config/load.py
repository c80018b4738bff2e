"""From the sources to `Settings`."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botmatrix.config import values
from botmatrix.config.home import Home, default_home
from botmatrix.config.options import BY_KEY, COMPUTED, OPTIONS, PARTS, Option, nearest
from botmatrix.config.parts import compose_urls
from botmatrix.config.secret import MASK
from botmatrix.config.settings import Settings, Source
from botmatrix.errors import ConfigError

Layer = tuple[Source, Mapping[str, Any]]


class ConfigFileError(ConfigError):
    """`config.json` as a whole can't be used: says where and why."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(str(path), problem, "a JSON object of settings")
        self.args = (f"{path}: {problem}",)


def load(
    home: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read every source and check every value; tokens that are set nowhere are generated in the data folder.

    `home`: the data folder, else `BOTMATRIX_HOME`, else the platform's. `overrides`: values of command-line
    flags; those that are None count as not given. Raises `ConfigError` for the first value that is wrong.
    """
    environ = os.environ if environ is None else environ
    place = locate(home, environ)
    in_file, warnings = known_keys(read_file(place.config), place.config)
    layers: list[Layer] = [
        ("file", in_file),
        ("environment", from_environment(environ)),
        ("flag", {key: value for key, value in (overrides or {}).items() if value is not None}),
    ]
    found, sources = _merge(layers)
    compose_urls(found, sources, warnings)
    settings = _build(place, found, sources, warnings)
    check_together(settings)
    return settings


def locate(home: Path | None = None, environ: Mapping[str, str] | None = None) -> Home:
    """The data folder: the one that is named, else `BOTMATRIX_HOME`, else the platform's."""
    environ = os.environ if environ is None else environ
    return Home(home or Path(environ.get("BOTMATRIX_HOME") or default_home()))


def inherited_environment() -> dict[str, str]:
    """The environment for children, without the pieces of URLs that they get whole."""
    pieces = {option.variable for option in PARTS}
    return {name: value for name, value in os.environ.items() if name not in pieces}


def read_file(path: Path) -> dict[str, Any]:
    """The object in `config.json`, empty without a file. Raises `ConfigFileError` with line and column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = json.loads(text, object_pairs_hook=_object) if text.strip() else {}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except json.JSONDecodeError as error:
        raise ConfigFileError(path, f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (OSError, ValueError) as error:
        raise ConfigFileError(path, str(error)) from error
    if not isinstance(found, dict):
        raise ConfigFileError(path, "it must hold one JSON object: { ... }")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands there twice")
        found[key] = value
    return found


def known_keys(found: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], list[str]]:
    """Keys without case, and a warning in words for each one that means nothing."""
    known: dict[str, Any] = {}
    warnings = []
    for spelled, value in found.items():
        key = spelled.lower()
        if key in known:
            raise ConfigFileError(path, f"{key} stands there twice: keys are compared without case")
        if key in BY_KEY:
            known[key] = value
        else:
            near = nearest(key)
            hint = f"; did you mean {near}?" if near else ""
            warnings.append(f"{path.name}: {spelled!r} is not a setting{hint}")
    return known, warnings


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings among the environment variables; an empty one counts as not set."""
    options = (option for option in BY_KEY.values() if option.in_environment)
    return {option.key: environ[option.variable] for option in options if environ.get(option.variable)}


def _merge(layers: list[Layer]) -> tuple[dict[str, Any], dict[str, Source]]:
    found: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for source, layer in layers:
        for key, raw in layer.items():
            found[key] = read_value(BY_KEY[key], raw, source)
            sources[key] = source
    return found, sources


def read_value(option: Option, raw: Any, source: Source) -> Any:
    """One value, checked. Raises `ConfigError` that names the key as the source spells it."""
    try:
        return option.read(raw)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        name = option.variable if source == "environment" else option.key
        shown = MASK if option.secret else raw
        raise ConfigError(name, shown, option.expected) from error


def _build(home: Home, found: dict[str, Any], sources: dict[str, Source], warnings: list[str]) -> Settings:
    for option in OPTIONS:
        if option.key not in found and option.default is not COMPUTED:
            found[option.key] = option.default
    machine = host_id()
    found.setdefault("worker_id", f"{machine}-{secrets.token_hex(2)}")
    found.setdefault("nexus_id", f"{machine}-{found['ws_port']}")
    folders = found.get("plugin_dirs", (str(home.plugins),))
    found["plugin_dirs"] = tuple(home.root / Path(folder).expanduser() for folder in folders)
    if "bot_token" not in found or "worker_token" not in found:
        made = home.secret_values()
        for key in ("bot_token", "worker_token"):
            found.setdefault(key, values.secret(made[key]))
    fields = {option.key: found[option.key] for option in OPTIONS}
    return Settings(home=home, warnings=tuple(warnings), sources=sources, **fields)


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


def save_value(home: Home, key: str, raw: Any) -> None:
    """Set one key in `config.json` and keep the rest. Raises `ConfigError`, and then changes nothing."""
    option = BY_KEY.get(key.lower())
    if option is None:
        near = nearest(key)
        raise ConfigError(key, raw, f"a known setting{f', such as {near}' if near else ''}")
    read_value(option, raw, "file")
    found = read_file(home.config)
    spelled = next((name for name in found if name.lower() == option.key), option.key)
    home.create()
    home.write_private(home.config, json.dumps({**found, spelled: raw}, indent=2, ensure_ascii=False) + "\n")
