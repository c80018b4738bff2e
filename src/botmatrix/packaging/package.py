"""`.bmpk`: a plugin in one file. A zip archive with `plugin.json` at its root, named `ID_VERSION.bmpk`."""

from __future__ import annotations

import hashlib
import re
from typing import IO, Final, NamedTuple

from botmatrix.core.archive import Archive, BadArchive
from botmatrix.errors import BotMatrixError
from botmatrix.packaging.manifest import LARGEST, BadManifest, Manifest, parse_document, parse_manifest

SUFFIX: Final = ".bmpk"
MANIFEST: Final = "plugin.json"
CODE: Final = ("plugin.py", "__init__.py")
"""What a Python plugin begins with."""
RESERVED: Final = frozenset({"matrix", "packages", "safe-mode"})
"""Ids that addresses of the REST interface have for themselves."""
_CHUNK: Final = 1 << 20


class BadPackage(BotMatrixError):
    """A package that is not taken; says why."""


class Package(NamedTuple):
    """What is known of a package once it is taken. `sha256`: of the whole file, in hex; `size`: its bytes."""

    manifest: Manifest
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """What its file must be called."""
        return f"{self.manifest.id}_{self.manifest.version}{SUFFIX}"


def read_package(file: IO[bytes], *, name: str = "", sha256: str = "") -> tuple[Package, Archive]:
    """What a file holds. `name`: what the file is called; `sha256`: what it is expected to be; both if known.

    Raises `BadPackage`.
    """
    digest, size = _digest(file)
    if sha256 and sha256.lower() != digest:
        raise BadPackage(f"its sha256 is {digest}, not {sha256.lower()[:64]}: this is another file than the one meant")
    try:
        archive = Archive(file)
    except BadArchive as error:
        raise BadPackage(str(error)) from None
    package = Package(_manifest(archive), digest, size)
    if name and name != package.file_name:
        raise BadPackage(f"its name says {name[:200]!r}, its plugin.json says {package.file_name!r}")
    return package, archive


def _digest(file: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _manifest(archive: Archive) -> Manifest:
    if MANIFEST not in archive:
        raise BadPackage(_no_manifest(archive))
    text = archive.read(MANIFEST, LARGEST + 1)
    try:
        manifest = parse_manifest(text)
        if "version" not in parse_document(text):
            raise BadManifest('needs "version": a package has one')
        _check_program(manifest, archive)
    except BadManifest as error:
        raise BadPackage(f"plugin.json: {error}") from None
    if manifest.id in RESERVED:
        raise BadPackage(f"plugin.json: the id {manifest.id!r} is taken by BotMatrix itself")
    for member in archive.members:
        if member.path.casefold().endswith(SUFFIX):
            raise BadPackage(f"there is a package in the package: {member.path!a}")
    return manifest


def _no_manifest(archive: Archive) -> str:
    found = [member.path for member in archive.members if member.path.casefold().endswith(MANIFEST)]
    if found:
        return f"plugin.json must be at the root of the package, not at {found[0]!a}"
    return "there is no plugin.json in it"


def _check_program(manifest: Manifest, archive: Archive) -> None:
    """That what is to be started is in it, as far as that can be said without starting it."""
    if not (manifest.entry or manifest.entry_point):
        if not any(name in archive for name in CODE):
            raise BadManifest(f"there is neither an entry nor a {CODE[0]}")
        return
    program = manifest.words()[0]
    if program.startswith("/"):
        raise BadManifest(f"entry names {program}: a package can't know the paths of a machine")
    own = program.removeprefix("./")
    if "/" in program and own not in archive:
        raise BadManifest(f"entry names {program}, which is not in the package")


def version_order(version: str) -> tuple[list[int], bool, list[int], str]:
    """What versions are sorted by: their numbers; a pre-release (`1.0.0-rc1`) comes before its release."""
    release, _, rest = version.partition("+")[0].partition("-")
    return _numbers(release), not rest, _numbers(rest), version


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall("[0-9]+", text)]
