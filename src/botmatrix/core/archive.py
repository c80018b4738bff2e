"""Zip archives from strangers: what is unusual is refused, never repaired.

Everything is known before the first byte is unpacked: names, sizes, and that each content is what its checksum says.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from typing import IO, Final, NamedTuple

from botmatrix.errors import BotMatrixError

LARGEST: Final = 50 << 20
"""Bytes of an archive."""
MOST_UNPACKED: Final = 200 << 20
"""Bytes of everything in it."""
MOST_FILES: Final = 2000
"""Entries, folders included."""
MOST_RATIO: Final = 100
"""How many times larger than the archive its content may be ..."""
FREE: Final = 10 << 20
"""... when it has more bytes than this."""
LONGEST_NAME: Final = 200
"""Bytes of a path in it."""
DEEPEST: Final = 16
"""Folders in one another."""

_END: Final = 22
"""Bytes of the record that ends an archive without a comment."""
_LOCATOR: Final = 20
_LONGEST_DIRECTORY: Final = 4 << 20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _UTF8 = 0x1 | 0x40 | 0x2000, 0x800
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_CHUNK: Final = 256 * 1024
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError)
"""What zipfile raises for bytes that make no sense."""


class BadArchive(BotMatrixError):
    """An archive that is not taken; says why."""


class Member(NamedTuple):
    """A file of an archive. `path`: with `/` between its parts, inside of whatever it is unpacked into."""

    path: str
    size: int
    executable: bool


class Archive:
    """An archive that keeps all rules. Use within the life of its file."""

    def __init__(self, file: IO[bytes]) -> None:
        """Reads it whole once. Raises `BadArchive`."""
        _check_frame(file)
        try:
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
            _check_entries(infos)
            for info in infos:
                _check_content(self._zip, info)
        except BadArchive:
            raise
        except _DAMAGE as error:
            raise BadArchive(f"the archive is damaged: {error}") from None
        self._infos = {info.filename: info for info in infos if not info.is_dir()}
        self.members = [Member(name, info.file_size, _is_executable(info)) for name, info in self._infos.items()]

    def __contains__(self, path: str) -> bool:
        return path in self._infos

    def open(self, path: str) -> IO[bytes]:
        """The content of a file of it."""
        return self._zip.open(self._infos[path])

    def read(self, path: str, most: int) -> bytes:
        """The first bytes of a file of it."""
        with self.open(path) as file:
            return file.read(most)


def _check_frame(file: IO[bytes]) -> None:
    """That it is one archive and nothing else, of a size that may be looked into."""
    size = file.seek(0, io.SEEK_END)
    if size > LARGEST:
        raise BadArchive(f"the archive is larger than {LARGEST >> 20} MiB")
    file.seek(0)
    if size < _END or file.read(4) != b"PK\x03\x04":
        raise BadArchive("this is no zip archive")
    tail_at = max(0, size - _END - _LOCATOR)
    file.seek(tail_at)
    tail = file.read()
    end = tail[-_END:]
    if not end.startswith(b"PK\x05\x06") or end[-2:] != b"\0\0":
        raise BadArchive("the archive is cut off, or something is written behind it")
    if tail.startswith(b"PK\x06\x07"):
        raise BadArchive("archives of the zip64 kind are not taken")
    count, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if count > MOST_FILES or directory > _LONGEST_DIRECTORY:
        raise BadArchive(f"the archive holds more than {MOST_FILES} files")
    file.seek(0)


def _check_entries(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MOST_FILES:
        raise BadArchive(f"the archive holds more than {MOST_FILES} files")
    for info in infos:
        _check_name(info)
        _check_kind(info)
    _check_sizes(infos)
    _check_places(infos)
    _check_no_clash(infos)


def _check_name(info: zipfile.ZipInfo) -> None:
    name, shown = info.filename, ascii(info.orig_filename[:80])
    if not info.flag_bits & _UTF8 and not info.orig_filename.isascii():
        raise BadArchive(f"the name {shown} is not marked as UTF-8")
    if "\\" in info.orig_filename or any(unicodedata.category(one) in ("Cc", "Cf") for one in info.orig_filename):
        raise BadArchive(f"the name {shown} has characters that don't belong into a name")
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or _DRIVE.match(name):
        raise BadArchive(f"{shown} is an absolute path")
    if any(part in ("", ".", "..") for part in parts):
        raise BadArchive(f"{shown} leads out of the archive")
    if any(len(part.encode()) > LONGEST_NAME for part in (name, *parts)) or len(parts) > DEEPEST:
        raise BadArchive(f"the path {shown} is too long or too deep")


def _check_kind(info: zipfile.ZipInfo) -> None:
    mode, shown = info.external_attr >> 16, ascii(info.filename[:80])
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        raise BadArchive(f"{shown} is a symbolic link")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > info.is_dir():
        raise BadArchive(f"{shown} is neither a file nor a folder")
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise BadArchive(f"{shown} would run with the rights of its owner")
    if info.flag_bits & _ENCRYPTED:
        raise BadArchive(f"{shown} is encrypted")
    if info.compress_type not in _METHODS:
        raise BadArchive(f"{shown} is compressed in a way that is not taken (use deflate)")
    if info.is_dir() and info.file_size:
        raise BadArchive(f"{shown} is a folder with a content")


def _check_sizes(infos: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > MOST_UNPACKED:
        raise BadArchive(f"the archive holds more than {MOST_UNPACKED >> 20} MiB")
    if unpacked > FREE and unpacked > MOST_RATIO * packed:
        raise BadArchive(f"its content is more than {MOST_RATIO} times larger than the archive")


def _check_places(infos: list[zipfile.ZipInfo]) -> None:
    """That it begins with a file of it, and that no two share bytes."""
    end = 0
    for index, info in enumerate(sorted(infos, key=lambda one: one.header_offset)):
        if info.header_offset < end or (index == 0 and info.header_offset):
            raise BadArchive("the archive has files that overlap, or something is written before it")
        end = info.header_offset + 30 + info.compress_size


def _check_no_clash(infos: list[zipfile.ZipInfo]) -> None:
    """That every path is there once, on file systems that ignore case too, and no file is used as a folder."""
    found: dict[str, tuple[str, bool]] = {}
    named: set[str] = set()
    for info in infos:
        path = info.filename.removesuffix("/")
        if path in named:
            raise BadArchive(f"{path[:80]!a} is there twice")
        named.add(path)
        parents = [path[:at] for at, one in enumerate(path) if one == "/"]
        for place, is_folder in [*((parent, True) for parent in parents), (path, info.is_dir())]:
            key = unicodedata.normalize("NFC", place).casefold()
            if found.setdefault(key, (place, is_folder)) != (place, is_folder):
                raise BadArchive(f"{place[:80]!a} is there twice: in other letters, or as a file and as a folder")


def _check_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """That it has the size and the checksum that it says."""
    read = 0
    with archive.open(info) as content:
        while chunk := content.read(_CHUNK):
            read += len(chunk)
    if read != info.file_size:
        raise BadArchive(f"{info.filename[:80]!a} does not have the size that it says")


def _is_executable(info: zipfile.ZipInfo) -> bool:
    return bool((info.external_attr >> 16) & 0o111)
