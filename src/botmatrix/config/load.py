"""From the sources on this machine to `Settings`: files, environment, flags."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botmatrix.config.home import Home, default_home
from botmatrix.config.merge import read_value, resolve, unknown
from botmatrix.config.options import BY_KEY, PARTS, nearest
from botmatrix.config.settings import Inputs, Settings
from botmatrix.config.stored import Stored, remembered
from botmatrix.errors import ConfigError

RELAYED = "BOTMATRIX_RELAYED"
"""Set for a part whose log is read by `up`, which wants it as JSON whatever `log_format` says."""


class ConfigFileError(ConfigError):
    """`config.json` as a whole can't be used: says where and why."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(str(path), problem, "a JSON object of settings")
        self.args = (f"{path}: {problem}",)


def load(
    home: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    stored: Stored | None = None,
) -> Settings:
    """Read every source and check every value; tokens that are set nowhere are generated in the data folder.

    `home`: the data folder, else `BOTMATRIX_HOME`, else the platform's. `overrides`: values of command-line
    flags; those that are None count as not given. `stored`: what the database holds, else the last good copy of it in
    the data folder. Raises `ConfigError` for the first value that is wrong.
    """
    environ = os.environ if environ is None else environ
    place = locate(home, environ)
    in_file, warnings = known_keys(read_file(place.config), place.config)
    if stored is None:
        stored, odd = remembered(place)
        warnings += [odd] if odd else []
    flags = {key: value for key, value in (overrides or {}).items() if value is not None}
    return resolve(Inputs(place, in_file, from_environment(environ), flags, tuple(warnings)), stored)


def is_relayed() -> bool:
    """Whether `up` reads what this process logs."""
    return os.environ.get(RELAYED) == "1"


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


def save_value(home: Home, key: str, raw: Any) -> None:
    """Set one key in `config.json` and keep the rest. Raises `ConfigError`, and then changes nothing."""
    option = BY_KEY.get(key.lower())
    if option is None:
        raise unknown(key, raw)
    read_value(option, raw, "file")
    found = read_file(home.config)
    spelled = next((name for name in found if name.lower() == option.key), option.key)
    home.create()
    home.write_private(home.config, json.dumps({**found, spelled: raw}, indent=2, ensure_ascii=False) + "\n")
