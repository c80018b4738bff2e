"""The file of a backup: gzip of lines. First a manifest (JSON), then for each table a line of JSON and its rows.

Rows are what PostgreSQL's `COPY` writes and reads as text, one a line; a line `\\.` ends those of a table. The last
line is `{"end": true}`: a file that was cut off does not have it, one that was damaged does not pass gzip's checksum.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from botmatrix.errors import BotMatrixError

FORMAT: Final = "botmatrix-backup"
VERSION: Final = 2
"""1 had neither tasks nor the tables of plugins."""
_END_OF_ROWS: Final = b"\\.\n"
_LONGEST: Final = 1 << 20
"""Bytes of a line that is no row."""
_CHUNK: Final = 1 << 16


class BadBackup(BotMatrixError):
    """The file can't be restored; nothing was changed."""

    exit_code: ClassVar[int] = 1

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} can't be restored: {why}. Nothing was changed")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file holds. `tables`: name -> rows, in the order of the file. `made_at`: unix seconds.

    The tables of a plugin are called by their schema, a space, and their name. `skipped`: schemas that are not in the
    file, and why.
    """

    schema: str
    made_at: float
    made_by: str
    tables: dict[str, int]
    skipped: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT
    version: int = VERSION


class Writer:
    """Writes one file from top to bottom."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file

    def manifest(self, manifest: Manifest) -> None:
        """The first line."""
        self._line(asdict(manifest))

    def table(self, name: str, columns: list[str]) -> None:
        """The rows of this table follow."""
        self._line({"table": name, "columns": columns})

    def rows(self, data: bytes) -> None:
        """More of them."""
        self._file.write(data)

    def end_of_rows(self) -> None:
        """That was the table."""
        self._file.write(_END_OF_ROWS)

    def end(self) -> None:
        """That was all."""
        self._line({"end": True})

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


@contextmanager
def create(path: Path) -> Iterator[Writer]:
    """A new file that only its owner can read; it is there when it is whole. Raises `FileExistsError`."""
    if path.exists():
        raise FileExistsError(f"{path} is there already: name another file")
    unfinished = path.with_name(path.name + ".unfinished")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6) as packed:
                yield Writer(packed)
            raw.flush()
            os.fsync(raw.fileno())
        os.link(unfinished, path)  # unlike a rename, never over another file
    finally:
        unfinished.unlink(missing_ok=True)


class Reader:
    """Reads one file from top to bottom, a line at a time. Raises `BadBackup`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self.manifest = self._manifest()

    def tables(self) -> Iterator[tuple[str, list[str]]]:
        """Each table and its columns; its rows are to be read, by `rows`, before the next."""
        for expected in self.manifest.tables:
            head = self._line()
            name, columns = head.get("table"), head.get("columns")
            if name != expected or not isinstance(columns, list) or not all(isinstance(c, str) for c in columns):
                raise self.bad(f"the table {expected} is not where it should be")
            yield name, columns
        if self._line() != {"end": True} or self._read(lambda: self._file.read(1)):
            raise self.bad("it does not end where it should")

    def rows(self, name: str) -> Iterator[bytes]:
        """The rows of the table, in chunks of whole lines."""
        count, chunk, size = 0, [], 0
        while (line := self._read(self._file.readline)) != _END_OF_ROWS:
            if not line.endswith(b"\n"):
                raise self.bad(f"it ends within the table {name}")
            count += 1
            chunk.append(line)
            size += len(line)
            if size >= _CHUNK:
                yield b"".join(chunk)
                chunk, size = [], 0
        if count != self.manifest.tables[name]:
            raise self.bad(f"the table {name} has {count} rows, the manifest says {self.manifest.tables[name]}")
        if chunk:
            yield b"".join(chunk)

    def bad(self, why: str) -> BadBackup:
        """Why it can't be restored."""
        return BadBackup(self._path, why)

    def _manifest(self) -> Manifest:
        found = self._line()
        if found.get("format") != FORMAT:
            raise self.bad("it is no backup of BotMatrix")
        if found.get("version") not in range(1, VERSION + 1):
            raise self.bad(f"it has format {found.get('version')}, this version reads formats up to {VERSION}")
        try:
            tables = {str(name): int(rows) for name, rows in found["tables"].items()}
            skipped = {str(name): str(why) for name, why in found.get("skipped", {}).items()}
            return Manifest(str(found["schema"]), float(found["made_at"]), str(found["made_by"]), tables, skipped)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.bad("its manifest is damaged") from error

    def _line(self) -> dict[str, Any]:
        line = self._read(lambda: self._file.readline(_LONGEST))
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self.bad("it is damaged, or no backup of BotMatrix") from error
        if not isinstance(found, dict):
            raise self.bad("it is damaged, or no backup of BotMatrix")
        return found

    def _read(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self.bad(f"it is damaged ({error})") from error


@contextmanager
def open_backup(path: Path) -> Iterator[Reader]:
    """The file, read from its beginning. Raises `BadBackup`, `OSError`."""
    with gzip.open(path, "rb") as file:
        yield Reader(path, file)  # type: ignore[arg-type]
