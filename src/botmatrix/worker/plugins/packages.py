"""Has a worker run the packages that are wanted: fetches those that are not here, and says when one can be loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.core.plugins import Chosen, PluginWishes
from botmatrix.errors import EngineUnavailable
from botmatrix.packaging.package import BadPackage
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.loader import LoadError
from botmatrix.worker.plugins.package_cache import NotYet, PackageCache
from botmatrix.worker.plugins.source import PACKAGED, Source

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries to fetch a package; the first pauses are shorter."""
PATIENCE: Final = 3.0
"""Seconds after which it is told that a package is waited for."""

log = structlog.get_logger("plugins")


class Packages:
    """One per worker. `arrived` is called when there is something new to load."""

    def __init__(self, host: Host, cache: PackageCache) -> None:
        self._host, self._cache = host, cache
        self._fetching: dict[str, tuple[Chosen, asyncio.Task[None]]] = {}
        self.arrived: Callable[[], None] = lambda: None

    def prepare(self, wishes: PluginWishes) -> None:
        """Know what is here already, before anything is loaded."""
        self._host.packaged = {
            plugin: self._source(plugin, wish.package)
            for plugin, wish in wishes.plugins.items()
            if wish.package is not None and self._cache.has(plugin, wish.package)
        }

    async def tidy(self, wishes: PluginWishes) -> None:
        """Take away what is wanted no more."""
        kept = {
            self._cache.place(plugin, package)
            for plugin, wish in wishes.plugins.items()
            for package in (wish.package, wish.previous)
            if package is not None
        }
        try:
            await asyncio.to_thread(self._cache.tidy, kept)
        except OSError as error:
            log.warning("old packages could not be taken away", error=str(error))

    async def converge(self, wishes: PluginWishes) -> None:
        """Load what is here, let go of what is wanted no more, and have the rest fetched."""
        wanted = {plugin: wish.package for plugin, wish in wishes.plugins.items() if wish.package is not None}
        for plugin in self._host.packaged.keys() - wanted.keys():
            await self._host.drop(self._host.packaged.pop(plugin))
        for plugin, (package, task) in list(self._fetching.items()):
            if wanted.get(plugin) != package:
                task.cancel()
                del self._fetching[plugin]
        for plugin, package in wanted.items():
            await self._one(plugin, package)

    async def close(self) -> None:
        """Fetch no more."""
        tasks = [task for _, task in self._fetching.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, plugin: str, package: Chosen) -> None:
        source = self._source(plugin, package)
        if self._host.packaged.get(plugin) == source or plugin in self._fetching:
            return
        if self._cache.has(plugin, package):
            self._host.packaged[plugin] = source
            await self._host.load(source)
        else:
            task = asyncio.create_task(self._fetch(source, package), name=f"package-{plugin}")
            self._fetching[plugin] = package, task

    async def _fetch(self, source: Source, package: Chosen) -> None:
        began, pause, told = asyncio.get_running_loop().time(), FIRST_PAUSE, ""
        while error := await self._try(source, package):
            waited = asyncio.get_running_loop().time() - began
            if str(error) != told and (waited > PATIENCE or not isinstance(error, NotYet)):
                told = str(error)
                await self._tell(source, told)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._fetching.pop(source.name, None)
        self.arrived()

    async def _try(self, source: Source, package: Chosen) -> Exception | None:
        """Why the package could not be brought here."""
        try:
            await self._cache.fetch(source.name, package)
            if source.path is not None:
                await self._host.make_ready(source.path)
        except (NotYet, BadPackage, LoadError, EngineUnavailable, ReplyError, OSError) as error:
            return error
        return None

    async def _tell(self, source: Source, reason: str) -> None:
        log.warning("a package can't be had", plugin=source.name, version=source.version, reason=reason)
        await self._host.fail(source, f"{source}: {reason}")
        self.arrived()

    def _source(self, plugin: str, package: Chosen) -> Source:
        return Source(PACKAGED, plugin, self._cache.place(plugin, package), version=package.version)
