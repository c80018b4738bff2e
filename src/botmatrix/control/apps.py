"""OneBot applications: those that the settings name, and those that dialled in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.roster import SocketView, read_sockets
from botmatrix.bus.sockets import ToldLine, all_lines
from botmatrix.config import Current, OneBotApp
from botmatrix.config.view import shown
from botmatrix.control.settings_keeper import Done, SettingsKeeper
from botmatrix.errors import BotMatrixError, EngineUnavailable

KEY = "onebot_apps"
_BETWEEN = " for "
"""Stands in the name of a line between its application and its bot."""


class UnknownApp(BotMatrixError):
    """The settings name no such application."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no application {name!r} is dialled")


class AppBook:
    """Reads what Redis tells of applications; changes the setting `onebot_apps`. One change at a time in a process."""

    def __init__(self, redis: Client, keys: Keys, settings: SettingsKeeper) -> None:
        self._redis, self._keys, self._settings = redis, keys, settings
        self._changing = asyncio.Lock()

    @property
    def current(self) -> Current:
        """The settings."""
        return self._settings.current

    async def lines(self) -> dict[str, list[tuple[str, str, ToldLine]]]:
        """Nexus, bot and state of each line, by application; none while Redis is away."""
        found: dict[str, list[tuple[str, str, ToldLine]]] = {}
        try:
            for nexus, name, line in await all_lines(self._redis, self._keys):
                app, between, bot = name.partition(_BETWEEN)
                if between:
                    found.setdefault(app, []).append((nexus, bot, line))
        except (EngineUnavailable, ReplyError):
            return {}
        return found

    async def attached(self) -> dict[str, SocketView]:
        """The applications that have a link now, by id; none while Redis is away."""
        try:
            return {one.id: one for one in await read_sockets(self._redis, self._keys) if one.is_application}
        except (EngineUnavailable, ReplyError):
            return {}

    async def save(self, wanted: Mapping[str, Any], by: str) -> Done:
        """Dial this application from now on, or change it; without a `token` it keeps the one that it has.

        Raises `ConfigError`, `EngineUnavailable`.
        """
        async with self._changing:
            apps = await self._apps()
            former = next((app for app in apps if app["name"] == wanted["name"]), {})
            kept = {"token": former["token"]} if former and wanted.get("token") is None else {}
            entry = {key: value for key, value in {**wanted, **kept}.items() if value is not None}
            others = [app for app in apps if app["name"] != wanted["name"]]
            return await self._settings.change({KEY: [*others, entry]}, by)

    async def drop(self, name: str, by: str) -> Done:
        """Dial it no more. Raises `UnknownApp`, `EngineUnavailable`."""
        async with self._changing:
            apps = await self._apps()
            left = [app for app in apps if app["name"] != name]
            if len(left) == len(apps):
                raise UnknownApp(name)
            return await self._settings.change({KEY: left}, by)

    async def _apps(self) -> list[dict[str, Any]]:
        """Those in force, as they would stand in config.json, after a look at what other nodes changed."""
        await self._settings.reconcile()
        return [_written(app) for app in self.current.wanted.onebot_apps]


def without_tokens(apps: Sequence[OneBotApp]) -> list[dict[str, Any]]:
    """The applications as people may see them."""
    return [shown(app) for app in apps]


def _written(app: OneBotApp) -> dict[str, Any]:
    fields = {"name": app.name, "url": app.url, "token": str(app.token), "bots": list(app.bots)}
    return {**fields, "deliver": app.deliver, "format": app.format}
