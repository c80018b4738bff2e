"""Has a worker's plugins be as they are wanted everywhere: on or off, loaded anew, off in places."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.plugins import PluginsState
from botmatrix.core.plugins import Matrix, PluginWishes
from botmatrix.errors import EngineUnavailable
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.packages import Packages

log = structlog.get_logger("plugins")
PATIENCE = 3.0
"""Seconds that Redis has to tell what is wanted before the plugins are loaded for the first time."""


class Wishes:
    """One per worker. `tell` says what the worker has now, to everybody. `safe`: it stays in safe mode."""

    def __init__(
        self,
        host: Host,
        state: PluginsState,
        packages: Packages,
        tell: Callable[[], Awaitable[None]],
        *,
        safe: bool = False,
    ) -> None:
        self._host, self._state, self._packages, self._tell = host, state, packages, tell
        self._generations: dict[str, int] | None = None
        self._changed = asyncio.Event()
        packages.arrived = self._changed.set
        state.on_change = self._take
        self._safe = safe
        host.want(self._is_off)

    async def prepare(self) -> None:
        """Know what is wanted before plugins are loaded: from Redis, else the last good copy."""
        self._state.restore()
        with contextlib.suppress(EngineUnavailable, ReplyError, TimeoutError):
            await asyncio.wait_for(self._state.look(first=True), PATIENCE)
        self._changed.clear()
        if self._state.version:
            self._generations = _generations(self._state.value)
        self._host.grant(self._state.value.wish)
        self._packages.prepare(self._state.value)
        await self._packages.tidy(self._state.value)
        self._changed.set()

    async def run(self) -> None:
        """Follow every change, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._state.run(), name="plugins wanted")
            try:
                await self._follow()
            finally:
                await self._packages.close()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.converge()
            except OSError as error:
                log.warning("the folders of plugins can't be read", error=str(error))

    def nudge(self, version: bytes = b"") -> None:
        """There may be a new version."""
        self._state.nudge(version)

    async def converge(self) -> None:
        """Bring the plugins to where they are wanted, and tell it."""
        wishes = self._state.value
        self._host.grant(wishes.wish)
        await self._packages.converge(wishes)
        for plugin in {found.id for found in self._host.plugins} | set(wishes.plugins):
            await self._one(plugin, wishes)
        self._generations = _generations(wishes)
        await self.told()

    async def told(self) -> None:
        """Tell what the worker has. Not told now, it is told with its next sign of life."""
        with contextlib.suppress(EngineUnavailable, ReplyError):
            await self._tell()

    async def _one(self, plugin: str, wishes: PluginWishes) -> None:
        found = self._host.info(plugin)
        wish = wishes.wish(plugin)
        if found is None:
            return
        if self._is_off(plugin, found.is_built_in):
            if found.state is PluginState.LOADED:
                log.info("a plugin is switched off", plugin=plugin)
                with contextlib.suppress(KeyError):  # its file went meanwhile
                    await self._host.disable(plugin)
        elif found.state is PluginState.DISABLED or self._is_newer(plugin, wish.generation):
            log.info("a plugin is loaded", plugin=plugin)
            await self._host.reload(plugin)

    def _is_off(self, plugin: str, built_in: bool) -> bool:
        wishes = self._state.value
        return not wishes.wish(plugin).enabled or ((self._safe or wishes.safe_mode) and not built_in)

    def _is_newer(self, plugin: str, generation: int) -> bool:
        """Nothing is known when it is the first document of all: then everything has just been loaded."""
        return self._generations is not None and generation > self._generations.get(plugin, 0)

    def _take(self, wishes: PluginWishes) -> None:
        self._host.put_matrix(Matrix(wishes.matrix))
        self._changed.set()


def _generations(wishes: PluginWishes) -> dict[str, int]:
    return {plugin: wish.generation for plugin, wish in wishes.plugins.items()}
