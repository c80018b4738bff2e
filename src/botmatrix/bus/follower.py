"""Keeps the settings of a running part as the database has them, and hears when it is to start again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.nudge import Nudge
from botmatrix.bus.settings import SettingsBox
from botmatrix.bus.signals import Signals
from botmatrix.config import Current, parse_stored, remember
from botmatrix.errors import ConfigError, EngineUnavailable

log = structlog.get_logger("settings")
EVERY = 2.0
"""Seconds between two looks, in case that a signal was lost."""


class Follower:
    """One per process, over connections of its own. What can't be used leaves the settings as they are.

    `on_restart` is called once when the process is asked to start again.
    """

    def __init__(self, current: Current, keys: Keys, inc: str) -> None:
        url = str(current.running.redis_url)
        self._current, self._inc = current, inc
        self.on_restart: Callable[[], None] = lambda: None
        self._box = SettingsBox(Client(url, name=f"botmatrix-settings-{inc}"), keys)
        self._signals = Signals(url, name=f"botmatrix-nudges-{inc}")
        self._channel = keys.settings_changed
        self._nudge = Nudge(EVERY)
        self._seen = ""
        self.restarting = False

    async def run(self) -> None:
        """Look when nudged, and every 2 s, until cancelled."""
        self._signals.subscribe(self._channel, self._nudge)
        try:
            while True:
                try:
                    await self.look()
                except (EngineUnavailable, ReplyError) as error:
                    log.debug("the settings stay as they are", error=str(error))
                await self._nudge.wait()
        finally:
            await self._signals.close()
            await self._box.close()

    async def look(self) -> None:
        """Take what is new. Raises `EngineUnavailable`."""
        glance = await self._box.glance(self._inc)
        if glance.version and glance.version != self._seen:
            await self._take()
        if glance.restart and not self.restarting:
            self.restarting = True
            self.on_restart()

    async def _take(self) -> None:
        published = await self._box.read()
        if published is None:
            return
        self._seen = published.version
        try:
            stored = parse_stored(published.document)
            if self._current.take(stored):
                log.info("new settings are in effect")
        except (ValueError, ConfigError) as error:
            log.error("the settings in Redis can't be used, the last ones stay", error=str(error))
            return
        try:
            await asyncio.to_thread(remember, self._current.running.home, stored)
        except OSError as error:
            log.warning(
                "the settings could not be copied", file=str(self._current.running.home.settings), error=str(error)
            )
