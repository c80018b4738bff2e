"""The shelf of packages: which are kept, which of them every worker runs, and how they come to the workers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.packages import PIECE, SECONDS, PackageBox, pieces
from botmatrix.control.core_keeper import PluginsKeeper
from botmatrix.control.keeper import Current
from botmatrix.core.plugins import Chosen, PluginWishes, chosen, removed, without_previous
from botmatrix.errors import BotMatrixError, EngineUnavailable
from botmatrix.packaging.package import Package, read_package, version_order
from botmatrix.store.packages import Packages, UnknownPackage
from botmatrix.store.tables import PluginPackage

EVERY: Final = 1.0
"""Seconds between two looks whether workers ask for a package."""
MOST_LAID: Final = 128 << 20
"""Bytes that this process lays down within the life of a piece; what is asked for beyond comes later."""

log = structlog.get_logger(__name__)


class PackageInUse(BotMatrixError):
    """A version that every worker runs."""

    def __init__(self, plugin: str, version: str) -> None:
        super().__init__(f"{plugin} {version} is in use: activate another version first, or remove the whole plugin")


class Added(NamedTuple):
    """A package that is kept now. `fresh`: it was not before."""

    package: Package
    fresh: bool


class Shelf:
    """One per control process. Every method raises `EngineUnavailable` when PostgreSQL is away."""

    def __init__(self, packages: Packages, keeper: PluginsKeeper, box: PackageBox) -> None:
        self.packages, self._keeper, self._box = packages, keeper, box
        self._laid: dict[str, tuple[float, int]] = {}

    async def add(self, file: IO[bytes], by: str, *, name: str = "", sha256: str = "") -> Added:
        """Keep a package. Raises `BadPackage`, `OtherPackage`, `TooManyVersions`."""
        package, _ = await asyncio.to_thread(read_package, file, name=name, sha256=sha256)
        return Added(package, await self.packages.add(package, _parts(file), by))

    async def activate(self, plugin: str, version: str, by: str) -> Current[PluginWishes]:
        """Have every worker run this version; the newest one when none is named. Raises `UnknownPackage`."""
        row = await self._row(plugin, version)
        with contextlib.suppress(EngineUnavailable, ReplyError):
            await self._lay_down(row)  # else each worker asks for it
        package = Chosen(version=row.version, sha256=row.sha256, size=row.size)
        return await self._keeper.change(lambda wishes: chosen(wishes, plugin, package), by)

    async def remove(self, plugin: str, by: str) -> Current[PluginWishes]:
        """No worker runs it any more, and no version is kept. Raises `UnknownPackage`."""
        if not await self.packages.list(plugin):
            raise UnknownPackage(plugin)
        saved = await self._keeper.change(lambda wishes: removed(wishes, plugin), by)
        await self.packages.delete(plugin)
        return saved

    async def remove_version(self, plugin: str, version: str, by: str) -> None:
        """Keep this version no longer. Raises `UnknownPackage`, `PackageInUse`."""
        await self._row(plugin, version)
        running = (await self._keeper.current()).config.wish(plugin).package
        if running is not None and running.version == version:
            raise PackageInUse(plugin, version)
        await self._keeper.change(lambda wishes: without_previous(wishes, plugin, version), by)
        await self.packages.delete(plugin, version)

    async def run(self) -> None:
        """Lay down what workers ask for."""
        while True:
            try:
                for sha256 in await self._box.asked():
                    await self._serve(sha256)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("a package could not be laid down; whoever needs it asks again", reason=str(error))
            await asyncio.sleep(EVERY)

    async def _serve(self, sha256: str) -> None:
        row = await self.packages.of_digest(sha256)
        if row is None:
            log.warning("a worker asks for a package that is not here", sha256=sha256[:64])
        else:
            await self._lay_down(row)

    async def _lay_down(self, row: PluginPackage) -> None:
        now = time.monotonic()
        self._laid = {sha256: laid for sha256, laid in self._laid.items() if laid[0] > now}
        if await self._box.is_there(row.sha256, row.size) or not self._has_room(row):
            return
        self._laid[row.sha256] = (now + SECONDS, row.size)
        for number in range(pieces(row.size)):
            data = await self.packages.part(row, number)
            if data is None:
                return
            await self._box.put(row.sha256, number, data)

    def _has_room(self, row: PluginPackage) -> bool:
        others = sum(size for sha256, (_, size) in self._laid.items() if sha256 != row.sha256)
        return others + row.size <= MOST_LAID

    async def _row(self, plugin: str, version: str) -> PluginPackage:
        rows = await self.packages.list(plugin)
        found = [row for row in rows if not version or row.version == version]
        if not found:
            raise UnknownPackage(plugin, version)
        return max(found, key=lambda row: version_order(row.version))


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while part := file.read(PIECE):
        yield part
