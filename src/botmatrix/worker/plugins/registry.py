"""The plugins of a worker: loaded, switched off, failed. One that can't be loaded hurts nobody."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
from functools import partial
from typing import NamedTuple

from botmatrix.sdk.app import App
from botmatrix.sdk.handler import Function
from botmatrix.sdk.plugin import Plugin
from botmatrix.sdk.services import Services
from botmatrix.sdk.store import Store
from botmatrix.worker.plugins import info
from botmatrix.worker.plugins.blocked import PluginBlocked
from botmatrix.worker.plugins.info import PluginInfo, PluginState
from botmatrix.worker.plugins.isolated.manifest import runs_isolated
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.loader import LoadError, import_plugin
from botmatrix.worker.plugins.scope import Scope
from botmatrix.worker.plugins.skills import SkillTable
from botmatrix.worker.plugins.source import Source
from botmatrix.worker.plugins.table import Bound, Table
from botmatrix.worker.plugins.threads import Threads

log = logging.getLogger(__name__)

HOOK_TIMEOUT = 30.0
"""Seconds that each hook of a plugin may take at its start and at its end."""


class Disabled(Exception):
    """The plugin is switched off by the setting `disabled_plugins`."""


class _Loaded(NamedTuple):
    source: Source
    scope: Scope
    info: PluginInfo


class Registry:
    """Loads and unloads plugins; what they register goes to the table, and leaves it again."""

    def __init__(
        self, services: Services, table: Table, threads: Threads, isolation: Isolation, skills: SkillTable
    ) -> None:
        self._settings = services.settings
        self._memory, self._values = services.sessions.memory, services.values
        self._isolation = isolation
        self._table, self._skills = table, skills
        self._threads = threads
        self._loaded: dict[str, _Loaded] = {}
        self._absent: dict[Source, PluginInfo] = {}
        self._order = itertools.count()

    @property
    def infos(self) -> list[PluginInfo]:
        """Every plugin that was found, those that serve first."""
        return [self._now(loaded.info) for loaded in self._loaded.values()] + list(self._absent.values())

    @property
    def ids(self) -> list[str]:
        """Ids of the plugins that serve."""
        return list(self._loaded)

    async def load(self, source: Source) -> PluginInfo:
        """Load one plugin. Never raises for what the plugin does: the result says how it went."""
        scope = Scope(source.name)
        self._absent.pop(source, None)
        try:
            return await self._load(source, scope)
        except Disabled:
            return await self._without(source, scope, PluginState.DISABLED)
        except LoadError as error:
            log.warning("plugin %s can't be loaded: %s", source, error)
            return await self._without(source, scope, PluginState.FAILED, str(error))
        except (Exception, SystemExit, PluginBlocked) as error:
            log.error("plugin %s can't be loaded", source, exc_info=error)
            return await self._without(source, scope, PluginState.FAILED, f"{type(error).__name__}: {error}")
        except BaseException:
            await scope.close()
            raise

    async def unload(self, plugin: str) -> None:
        """Undo everything that a plugin registered. Raises `KeyError` for one that is not loaded."""
        await self._loaded.pop(plugin).scope.close()

    async def close(self) -> None:
        """Unload all, last loaded first."""
        for plugin in reversed(self.ids):
            await self.unload(plugin)

    async def _load(self, source: Source, scope: Scope) -> PluginInfo:
        self._refuse_disabled(source.name)
        if source.path is not None and runs_isolated(source.path):
            plugin = await self._isolation.load(source.path, scope)
        else:
            plugin = import_plugin(source, scope)
        self._refuse_disabled(plugin.id)
        if (other := self._loaded.get(plugin.id)) is not None:
            raise LoadError(f"the id {plugin.id!r} is taken by {other.source}")
        app = App(plugin.id, Store(self._values, plugin.id), plugin.config() if plugin.config else None)
        await self._start(plugin, app, scope)
        if plugin.history:
            scope.on_close(self._memory.want())
        order = next(self._order)
        for index, handler in enumerate(plugin.handlers):
            scope.on_close(self._table.add(Bound(app, handler, (order, index))))
        for skill in plugin.skills:
            scope.on_close(self._skills.add(app, skill))
        self._loaded[plugin.id] = _Loaded(source, scope, info.loaded(plugin, source))
        log.info("plugin %s %s loaded from %s", plugin.id, plugin.version, source)
        return self._loaded[plugin.id].info

    def _refuse_disabled(self, name: str) -> None:
        if name in self._settings.disabled_plugins:
            raise Disabled(name)

    async def _start(self, plugin: Plugin, app: App, scope: Scope) -> None:
        for function in plugin.shutdown:
            scope.on_close_async(self._hook, function, app)
        for function in plugin.startup:
            await self._hook(function, app)

    async def _hook(self, function: Function, app: App) -> None:
        async with asyncio.timeout(HOOK_TIMEOUT):
            if inspect.iscoroutinefunction(function):
                await function(app)
            else:
                await self._threads.run(partial(function, app))

    def _now(self, found: PluginInfo) -> PluginInfo:
        isolated = self._isolation.plugins.get(found.id)
        return info.with_process(found, isolated.figures) if isolated else found

    async def _without(self, source: Source, scope: Scope, state: PluginState, error: str = "") -> PluginInfo:
        await scope.close()
        self._absent[source] = info.absent(source, state, error)
        return self._absent[source]
