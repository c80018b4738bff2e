"""How a command that is started alone finds the engines of a running `up`: `HOME/run/engines.json`, 0600."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass

from botmatrix.config import Home, Secret, Settings
from botmatrix.embedded.lock import is_held
from botmatrix.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Running:
    """What a running `up` offers on this machine."""

    redis_url: Secret
    database_url: Secret
    ws_port: int
    webui_port: int


def publish(home: Home, running: Running) -> None:
    """Say where the engines are."""
    home.write_private(home.run / "engines.json", json.dumps(dataclasses.asdict(running)))


def withdraw(home: Home) -> None:
    """They are gone."""
    with contextlib.suppress(OSError):
        (home.run / "engines.json").unlink(missing_ok=True)


def find(home: Home) -> Running | None:
    """What runs on this data folder now; None when no `up` does."""
    if not is_held(home):
        return None
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads((home.run / "engines.json").read_text())
        urls = Secret(found["redis_url"]), Secret(found["database_url"])
        return Running(*urls, int(found["ws_port"]), int(found["webui_port"]))
    return None


def connected(settings: Settings, *, database: bool = False) -> Settings:
    """Settings whose engine URLs are set: their own, else those of a running `up`. PostgreSQL only where `database`.

    Raises `EngineUnavailable` that says what to do.
    """
    if settings.redis_url and (settings.database_url or not database):
        return settings
    running = find(settings.home)
    if running is None:
        engine, key = ("PostgreSQL", "database_url") if settings.redis_url else ("Redis", "redis_url")
        cure = f"Start `botmatrix up` (it brings its own engines), or set {key}"
        raise EngineUnavailable(engine, f"{key} is not set and nothing runs on {settings.home.root}", cure)
    return dataclasses.replace(
        with_ports_of(settings, running),
        redis_url=settings.redis_url or running.redis_url,
        database_url=settings.database_url or running.database_url,
    )


def with_ports_of(settings: Settings, running: Running) -> Settings:
    """The ports of a running `up`, where these settings say nothing of their own."""
    kept = {key: settings.source(key) != "default" for key in ("ws_port", "webui_port")}
    return dataclasses.replace(
        settings,
        ws_port=settings.ws_port if kept["ws_port"] else running.ws_port,
        webui_port=settings.webui_port if kept["webui_port"] else running.webui_port,
    )
