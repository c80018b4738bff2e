"""Has a worker's plugins go by the settings that are wanted everywhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from botmatrix.bus.client import ReplyError
from botmatrix.bus.plugins import PluginSettingsState
from botmatrix.core.plugin_settings import Configured, PluginSettings
from botmatrix.errors import EngineUnavailable
from botmatrix.worker.plugins.host import Host

PATIENCE: Final = 3.0
"""Seconds that Redis has to tell the settings before plugins are loaded with those of HOME."""


class Configuring:
    """One per worker. `tell` says to everybody which settings are in force here."""

    def __init__(self, host: Host, state: PluginSettingsState, tell: Callable[[], Awaitable[None]]) -> None:
        self._host, self._state, self._tell = host, state, tell
        self._changed = asyncio.Event()
        state.on_change = self._note

    def of(self, plugin: str) -> Configured:
        """The settings that are wanted of a plugin."""
        return self._state.value.of(plugin)

    async def prepare(self) -> None:
        """Know the settings before plugins are loaded: from Redis, else the last good copy."""
        self._state.restore()
        with contextlib.suppress(EngineUnavailable, ReplyError, TimeoutError):
            await asyncio.wait_for(self._state.look(first=True), PATIENCE)
        self._changed.clear()

    async def run(self) -> None:
        """Follow every change, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._state.run(), name="settings of plugins")
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._host.configure()
                await self._tell()

    def nudge(self, version: bytes = b"") -> None:
        """There may be a new version."""
        self._state.nudge(version)

    def _note(self, _settings: PluginSettings) -> None:
        self._changed.set()
