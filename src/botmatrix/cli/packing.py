"""From a plugin's folder to its package. The same files give the same bytes, whenever and wherever they are packed."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from botmatrix.errors import BotMatrixError
from botmatrix.packaging.package import SUFFIX, BadPackage, Package, read_package

LEFT_OUT: Final = frozenset({"__pycache__"})
_FORGOTTEN: Final = (".pyc", SUFFIX)


def pack(folder: Path) -> tuple[Package, bytes]:
    """A package of what is in a folder, without what begins with a dot and what Python keeps. Raises `BadPackage`."""
    if not (folder / "plugin.json").is_file():
        raise BadPackage(f"{folder} has no plugin.json: a package is made of a folder that has one")
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(out, "w") as archive:
            for path in _files(folder):
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                info.external_attr = (stat.S_IFREG | (0o755 if os.access(path, os.X_OK) else 0o644)) << 16
                archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise BotMatrixError(f"{error.filename}: {error.strerror}") from error
    package, _ = read_package(out)
    return package, out.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in LEFT_OUT or path.name.endswith(_FORGOTTEN):
            continue
        if path.is_symlink():
            raise BadPackage(f"{path} is a symbolic link: a package can't hold one")
        if path.is_dir():
            yield from _files(path)
        else:
            yield path
