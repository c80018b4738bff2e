"""The plugins of a worker: loaded, exchanged, switched off, failed. One that can't be loaded hurts nobody."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from botmatrix.core.plugins import Wish
from botmatrix.sdk.cron import Cron
from botmatrix.sdk.plugin import Plugin
from botmatrix.sdk.raised import must_leave
from botmatrix.sdk.services import Services
from botmatrix.worker.plugins import info
from botmatrix.worker.plugins.exchange import Exchange
from botmatrix.worker.plugins.fuse import Fuse
from botmatrix.worker.plugins.info import PluginInfo, PluginState
from botmatrix.worker.plugins.isolated.manifest import runs_isolated
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.loader import LoadError, import_plugin
from botmatrix.worker.plugins.scope import Scope
from botmatrix.worker.plugins.settings import SettingsRefused
from botmatrix.worker.plugins.source import PACKAGED, Source
from botmatrix.worker.plugins.version import Version

log = logging.getLogger(__name__)


class Disabled(Exception):
    """The plugin is switched off."""


class Registry:
    """Loads, exchanges and unloads plugins, one change at a time.

    `is_off` says which ids are not wanted, and is told which plugins are built in.
    """

    def __init__(self, services: Services, isolation: Isolation, exchange: Exchange, fuse: Fuse) -> None:
        self._services, self._isolation, self._exchange, self._fuse = services, isolation, exchange, fuse
        self._loaded: dict[str, Version] = {}
        self._absent: dict[str, tuple[Source, PluginInfo]] = {}
        self._order = itertools.count()
        self._changing = asyncio.Lock()
        self.is_off: Callable[[str, bool], bool] = lambda _plugin, _built_in: False
        self._wish: Callable[[str], Wish] = lambda _plugin: Wish()

    @property
    def infos(self) -> list[PluginInfo]:
        """Every plugin that was found, those that serve first."""
        found = [self._now(version) for version in self._loaded.values()]
        others: dict[str, list[str]] = {}
        for source, absent in sorted(self._absent.values(), key=lambda one: one[0].rank):
            if absent.id not in self._loaded and absent.id not in others:
                found.append(absent)
                others[absent.id] = []
            else:
                others.setdefault(absent.id, []).append(str(source))
        found = [one._replace(shadowed=tuple(others[one.id])) if others.get(one.id) else one for one in found]
        return [info.with_interruptions(one) for one in found]

    def info(self, plugin: str) -> PluginInfo | None:
        """One of them."""
        if plugin in self._loaded:
            return self._now(self._loaded[plugin])
        found = (absent for absent in self._absent.values() if absent[1].id == plugin)
        return min(found, key=lambda one: one[0].rank, default=(None, None))[1]

    @property
    def ids(self) -> list[str]:
        """Ids of the plugins that serve."""
        return list(self._loaded)

    @property
    def crons(self) -> list[Cron]:
        """What the clock starts in those that serve."""
        return [cron for version in self._loaded.values() for cron in version.plugin.crons]

    def source(self, plugin: str) -> Source | None:
        """Where a plugin comes from that serves, failed or is off."""
        if plugin in self._loaded:
            return self._loaded[plugin].source
        return min(self._others(plugin), key=lambda source: source.rank, default=None)

    async def load(self, source: Source, *, by_hand: bool = False) -> PluginInfo:
        """Load a plugin, in the place of the version from the same place, if one serves.

        Never raises for what the plugin does: the result says how it went. `by_hand`: although it ended workers.
        """
        async with self._changing:
            return await self._load(source, by_hand=by_hand)

    async def unload(self, plugin: str) -> None:
        """Undo everything that a plugin registered. Raises `KeyError` for one that is not loaded."""
        async with self._changing:
            ending = self._exchange.retire(self._loaded.pop(plugin))
        await asyncio.shield(ending)

    async def tick(self, name: str) -> None:
        """Run now what the clock starts, `PLUGIN.FUNCTION`. Raises `KeyError`."""
        plugin, _, function = name.rpartition(".")
        await self._loaded[plugin].tick(function)

    async def disable(self, plugin: str) -> None:
        """It hears no more, ends what it heard, and stays in the list. Raises `KeyError` for one that is not loaded."""
        async with self._changing:
            version = self._loaded.pop(plugin)
            self._exchange.retire(version)
            self._note(version.source, plugin, PluginState.DISABLED)

    async def drop(self, place: str) -> None:
        """What came from this place is no more."""
        async with self._changing:
            self._absent.pop(place, None)
            if (version := self._from(place)) is not None:
                log.info("plugin %s is gone", version.id)
                self._exchange.retire(self._loaded.pop(version.id))
                await self._fall_back(version.id)

    async def fail(self, source: Source, error: str) -> None:
        """Say why something can't even be tried; what serves in its place serves on."""
        async with self._changing:
            await self._failed(source, Scope(source.name), LoadError(error))

    async def configure(self) -> None:
        """Have every plugin go by the settings that are wanted now; what failed for want of them is loaded."""
        async with self._changing:
            for version in list(self._loaded.values()):
                await self._exchange.configure(version)
            for source, found in list(self._absent.values()):
                wanted = self._services.configured(found.id).version
                if found.settings_schema is not None and wanted != found.settings_version:
                    await self._load(source)

    async def close(self) -> None:
        """Unload all, last loaded first."""
        await self._exchange.close()
        for plugin in reversed(self.ids):
            version = self._loaded.pop(plugin)
            version.life.give_up()
            await self._exchange.retire(version)

    async def _load(self, source: Source, *, by_hand: bool = False) -> PluginInfo:
        code, old = Scope(source.name), self._from(source.place)
        try:
            self._refuse_disabled(source.name, source)
            if _is_apart(source):
                version = await self._bring(source, code, old)
            else:
                with self._fuse.loading(source, by_hand=by_hand):
                    version = await self._bring(source, code, old)
        except Disabled as off:
            await code.close()
            if old is not None:
                self._exchange.retire(self._loaded.pop(old.id))
            return self._note(source, str(off), PluginState.DISABLED)
        except LoadError as error:
            log.warning("plugin %s can't be loaded: %s", source, error)
            return await self._failed(source, code, error)
        except BaseException as error:
            if must_leave(error):
                await code.close()
                raise
            log.error("plugin %s can't be loaded", source, exc_info=error)
            return await self._failed(source, code, LoadError(f"{type(error).__name__}: {error}"))
        self._absent.pop(source.place, None)
        log.info("plugin %s %s loaded from %s", version.id, version.plugin.version, source)
        return self._now(version)

    def grant(self, wish: Callable[[str], Wish]) -> None:
        """From now on plugins may do what is granted to them there."""
        self._wish = wish
        for version in self._loaded.values():
            version.grant(self._grants(version))

    def _grants(self, version: Version) -> Collection[str]:
        packaged = version.source.kind == PACKAGED
        return self._services.grants(version.plugin, self._wish(version.id), packaged=packaged)

    async def _bring(self, source: Source, code: Scope, old: Version | None) -> Version:
        """The new version, serving in the place of the old one."""
        plugin = await self._read(source, code)
        self._refuse_disabled(plugin.id, source)
        other = self._loaded.get(plugin.id)
        if other is not None and other is not old:
            if old is not None or other.source.rank <= source.rank:
                raise LoadError(f"the id {plugin.id!r} is taken by {other.source}")
            old = other
        order = old.order if old else next(self._order)
        version = Version(source, plugin, code, info.loaded(plugin, source, self._services.clock.now()), order)
        version.grant(self._grants(version))
        self._exchange.refuse_unfit(version)
        if old is None:
            await self._exchange.begin(version)
        else:
            await self._exchange.swap(old, version)
            if old.id != version.id:
                del self._loaded[old.id]
            if old.source.place != source.place:
                self._note(old.source, old.id, PluginState.FAILED, f"{source} takes its place")
        told = info.loaded(plugin, source, version.info.since)  # what a process told of itself
        version.info = told._replace(settings_schema=version.schema)
        self._loaded[plugin.id] = version
        return version

    async def _read(self, source: Source, code: Scope) -> Plugin:
        if source.path is not None and _is_apart(source):
            return await self._isolation.load(source.path, packaged=source.kind == PACKAGED)
        return import_plugin(source, code)

    async def _failed(self, source: Source, code: Scope, error: LoadError) -> PluginInfo:
        """The old version goes on, with the error of the new one; or there is none."""
        await code.close()
        old, schema = self._from(source.place), error.schema if isinstance(error, SettingsRefused) else None
        if old is not None and old.serves:
            old.info = old.info._replace(error=str(error), error_at=self._services.clock.now())
            if schema is not None:
                old.info = old.info._replace(settings_schema=schema)
            return self._now(old)
        id = error.plugin if isinstance(error, SettingsRefused) else source.name
        if old is not None:
            id = old.id
            self._exchange.retire(self._loaded.pop(id))
        return self._note(source, id, PluginState.FAILED, str(error), schema)

    async def _fall_back(self, plugin: str) -> None:
        """Have the next one of this id serve that was in the shadow of one that is gone."""
        for source in sorted(self._others(plugin), key=lambda source: source.rank):
            if (await self._load(source)).state is PluginState.LOADED:
                return

    def _others(self, plugin: str) -> list[Source]:
        return [source for source, found in self._absent.values() if found.id == plugin]

    def _refuse_disabled(self, name: str, source: Source) -> None:
        if name in self._services.settings.disabled_plugins or self.is_off(name, source.is_built_in):
            raise Disabled(name)

    def _from(self, place: str) -> Version | None:
        return next((version for version in self._loaded.values() if version.source.place == place), None)

    def _now(self, version: Version) -> PluginInfo:
        found = version.info._replace(draining=self._exchange.draining(version.id))
        if version.refused:
            found = found._replace(refused=version.refused)
        if found.settings_schema is not None:
            found = found._replace(settings_version=version.settings.version, settings_error=version.settings_error)
        isolated = self._isolation.plugins.get(found.id)
        return info.with_process(found, isolated.figures) if isolated else found

    def _note(
        self,
        source: Source,
        id: str,
        state: PluginState,
        error: str = "",
        schema: Mapping[str, Any] | None = None,
    ) -> PluginInfo:
        found = info.absent(source, id, state, self._services.clock.now(), error, schema=schema)
        if schema is not None:
            found = found._replace(settings_version=self._services.configured(id).version)
        self._absent[source.place] = source, found
        return found


def _is_apart(source: Source) -> bool:
    """Whether it has a process of its own. Raises `LoadError`."""
    return source.path is not None and runs_isolated(source.path)
