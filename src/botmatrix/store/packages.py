"""Packages of plugins, where they outlive everything: each version once, and never another content under it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from botmatrix.errors import BotMatrixError
from botmatrix.packaging.package import Package
from botmatrix.store.engine import Database
from botmatrix.store.tables import PackagePart, PluginPackage

MOST_VERSIONS: Final = 50
"""Of one plugin."""


class UnknownPackage(BotMatrixError):
    """There is no such version of this plugin."""

    def __init__(self, plugin: str, version: str = "") -> None:
        which = f"version {version} of {plugin}" if version else f"package of {plugin}"
        super().__init__(f"there is no {which} here")


class OtherPackage(BotMatrixError):
    """This version is here with another content."""

    def __init__(self, package: Package) -> None:
        version = package.manifest.version
        super().__init__(f"version {version} is here with another content: give the new one another version")


class TooManyVersions(BotMatrixError):
    """A plugin has as many versions as it may have."""

    def __init__(self, plugin: str) -> None:
        super().__init__(f"{plugin} has {MOST_VERSIONS} versions: remove old ones first")


class Packages:
    """The tables of packages. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, package: Package, parts: Iterable[bytes], by: str) -> bool:
        """Keep a package; False when it is kept already. Raises `OtherPackage`, `TooManyVersions`."""
        if await self._has(package):
            return False
        try:
            await self._insert(package, parts, by)
        except IntegrityError:
            if not await self._has(package):  # else somebody added it at the same moment
                raise
            return False
        return True

    async def _insert(self, package: Package, parts: Iterable[bytes], by: str) -> None:
        plugin, version = package.manifest.id, package.manifest.version
        async with self._database.session() as session:
            count = await session.scalar(select(func.count()).where(PluginPackage.plugin == plugin))
            if (count or 0) >= MOST_VERSIONS:
                raise TooManyVersions(plugin)
            session.add(_row(package, by))
            await session.flush()
            for number, data in enumerate(parts):
                values = {"plugin": plugin, "version": version, "number": number, "data": data}
                await session.execute(insert(PackagePart).values(values))

    async def _has(self, package: Package) -> bool:
        """Whether it is kept, exactly so. Raises `OtherPackage`."""
        kept = await self.find(package.manifest.id, package.manifest.version)
        if kept is not None and kept.sha256 != package.sha256:
            raise OtherPackage(package)
        return kept is not None

    async def list(self, plugin: str = "") -> list[PluginPackage]:
        """Every package, or those of one plugin, newest first."""
        wanted = select(PluginPackage).order_by(PluginPackage.added_at.desc(), PluginPackage.version.desc())
        if plugin:
            wanted = wanted.where(PluginPackage.plugin == plugin)
        async with self._database.session() as session:
            return list(await session.scalars(wanted))

    async def find(self, plugin: str, version: str) -> PluginPackage | None:
        """One package; None when there is none."""
        async with self._database.session() as session:
            return await session.get(PluginPackage, (plugin, version))

    async def of_digest(self, sha256: str) -> PluginPackage | None:
        """The package whose file has this sha256; None when there is none."""
        async with self._database.session() as session:
            return (await session.scalars(select(PluginPackage).where(PluginPackage.sha256 == sha256))).first()

    async def part(self, row: PluginPackage, number: int) -> bytes | None:
        """A part of its file; None when there is none."""
        key = (row.plugin, row.version, number)
        async with self._database.session() as session:
            found = await session.get(PackagePart, key)
            return found.data if found is not None else None

    async def delete(self, plugin: str, version: str = "") -> int:
        """Forget one version, or all; how many there were."""
        wanted = delete(PluginPackage).where(PluginPackage.plugin == plugin)
        if version:
            wanted = wanted.where(PluginPackage.version == version)
        async with self._database.session() as session:
            return len((await session.execute(wanted.returning(PluginPackage.version))).all())


def _row(package: Package, by: str) -> PluginPackage:
    manifest = package.manifest
    return PluginPackage(
        plugin=manifest.id,
        version=manifest.version,
        sha256=package.sha256,
        size=package.size,
        manifest={
            "name": manifest.name or manifest.id,
            "description": manifest.description,
            "permissions": sorted(manifest.wanted),
            "isolated": manifest.isolated,
        },
        added_by=by,
    )
