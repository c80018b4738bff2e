"""Packages as a worker has them: unpacked in HOME, whole or not at all, by what their bytes are.

Several workers may share a HOME. A folder that is there is whole: it was made beside its place and moved there, under a
lock; what a killed process left half made is swept away by whoever holds the lock next.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from botmatrix.bus.packages import PackageBox, pieces
from botmatrix.core.archive import Archive
from botmatrix.core.plugins import Chosen
from botmatrix.errors import BotMatrixError
from botmatrix.packaging.package import BadPackage, read_package

KEPT: Final = 24 * 3600.0
"""Seconds for which a package that is wanted no more is kept after its last use: an old version may still drain."""
_HALF: Final = ".unpacking-"


class NotYet(BotMatrixError):
    """A package has not come yet; it has been asked for."""

    def __init__(self, package: Chosen) -> None:
        super().__init__(f"its package {package.version} has not come yet: control, PostgreSQL or Redis may be away")


class PackageCache:
    """The folder `HOME/packages`, and the way there."""

    def __init__(self, folder: Path, box: PackageBox) -> None:
        self._folder, self._box = folder, box

    def place(self, plugin: str, package: Chosen) -> Path:
        """Where a package is, once it is here."""
        return self._folder / plugin / f"{package.version}-{package.sha256[:16]}"

    def has(self, plugin: str, package: Chosen) -> bool:
        """Whether it is here; then it is whole."""
        return self.place(plugin, package).is_dir()

    async def fetch(self, plugin: str, package: Chosen) -> None:
        """Bring it here. Raises `NotYet`, `BadPackage`, `OSError`, `EngineUnavailable`, `ReplyError`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for number in range(pieces(package.size)):
                data = await self._box.piece(package.sha256, number)
                if data is None:
                    await self._box.ask(package.sha256)
                    raise NotYet(package)
                file.write(data)
            await asyncio.to_thread(self._unpack, file, plugin, package)

    def tidy(self, wanted: Collection[Path]) -> None:
        """Take away what was left half made, and what nobody has wanted for a day."""
        if not self._folder.is_dir():
            return
        with self._locked():
            for place in wanted:
                if place.is_dir():
                    os.utime(place)
            for place in self._folder.glob("[!.]*/*"):
                if place not in wanted and place.stat().st_mtime < time.time() - KEPT:
                    shutil.rmtree(place, ignore_errors=True)

    def _unpack(self, file: IO[bytes], plugin: str, package: Chosen) -> None:
        found, archive = read_package(file, sha256=package.sha256)
        if (found.manifest.id, found.manifest.version) != (plugin, package.version):
            raise BadPackage(f"it holds {found.file_name}, which is not what is wanted")
        place = self.place(plugin, package)
        with self._locked():
            if place.is_dir():
                return
            making = Path(tempfile.mkdtemp(prefix=_HALF, dir=self._folder))
            try:
                _write(archive, making)
                place.parent.mkdir(mode=0o700, exist_ok=True)
                making.rename(place)
                _sync(place.parent)
            finally:
                shutil.rmtree(making, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among all that share the folder; nothing half made is there."""
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for half in self._folder.glob(f"{_HALF}*"):
                shutil.rmtree(half, ignore_errors=True)
            yield


def _write(archive: Archive, folder: Path) -> None:
    for member in archive.members:
        path = folder / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member.path) as content, path.open("xb") as file:
            shutil.copyfileobj(content, file)
            os.fchmod(file.fileno(), 0o755 if member.executable else 0o644)
            file.flush()
            os.fsync(file.fileno())
    for parent in {path.parent for path in folder.rglob("*")}:
        _sync(parent)


def _sync(folder: Path) -> None:
    """What was made in a folder survives a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
