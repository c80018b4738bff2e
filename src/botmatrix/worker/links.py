"""What a worker has of Redis beside its lanes: actions, sessions, what is hot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.client import Client
from botmatrix.bus.cron import CronBox
from botmatrix.bus.direct import DirectBox
from botmatrix.bus.hot import Hot
from botmatrix.bus.keys import Keys
from botmatrix.bus.media import MediaBox
from botmatrix.bus.packages import PackageBox
from botmatrix.bus.plugins import PluginsBox, PluginSettingsBox
from botmatrix.bus.sessions import SessionBox
from botmatrix.bus.signals import Signals
from botmatrix.bus.speakers import Speakers
from botmatrix.bus.uses import UseBox
from botmatrix.clock import Clock
from botmatrix.vital import must_not_end
from botmatrix.worker.direct import Direct
from botmatrix.worker.incarnation import worker_of


class Links:
    """Connections of one incarnation `inc`, opened when they are first used."""

    def __init__(self, url: str, keys: Keys, inc: str, clock: Clock) -> None:
        client = Client(url, name=f"botmatrix-sessions-{inc}")
        self._signals = Signals(url, name=f"botmatrix-worker-signals-{inc}")
        self._keys = keys
        self.actions = ActionBox(url, keys, inc)
        worker_id = worker_of(inc)
        box = DirectBox(Client(url, name=f"botmatrix-direct-{inc}"), keys, worker_id)
        self.direct = Direct(box, worker_id, clock)
        self.hot = Hot(client, keys)
        self.uses = UseBox(client, keys)
        self.crons = CronBox(client, keys, inc, clock)
        self.speakers = Speakers(client, keys, clock)
        self.media = MediaBox(client, keys, clock)
        self.plugins = PluginsBox(client, keys)
        self.packages = PackageBox(client, keys)
        self.plugin_settings = PluginSettingsBox(client, keys)
        self.on_plugin_settings: Callable[[bytes], None] = lambda _version: None
        self.on_plugins: Callable[[bytes], None] = lambda _version: None
        self.sessions = SessionBox(client, keys, lambda: self.hot.ttls, clock)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Look after them for the length of a block; what was noted in it is still written."""
        self._signals.subscribe(self._keys.hot_changed, self.hot.nudge)
        self._signals.subscribe(self._keys.plugins_changed, self.on_plugins)
        self._signals.subscribe(self._keys.plugin_settings_changed, self.on_plugin_settings)
        tasks = [
            asyncio.create_task(self.hot.run(), name="hot configuration"),
            asyncio.create_task(self.sessions.memory.run(), name="histories"),
        ]
        for task in tasks:
            task.add_done_callback(must_not_end)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End them."""
        await self.direct.close()
        await self.actions.close()
        await self._signals.close()
        await self.sessions.close()
