"""Notes in the data folder which plugin is being loaded: one that ends its worker meanwhile does not do so for ever.

Workers that share a data folder share what they know. A note is locked while its worker lives, so a note without a lock
tells of a death.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from botmatrix.clock import Clock
from botmatrix.worker.plugins.loader import LoadError
from botmatrix.worker.plugins.source import Source

log = logging.getLogger(__name__)

DEATHS: Final = 2
"""After so many in a row a plugin is not loaded any more ..."""
IN_A_ROW: Final = 600.0
"""... if no more than this (s) lay between them."""
_NOTE: Final = "note-"
_DEATHS: Final = "deaths.json"


class Note(msgspec.Struct):
    """What is being loaded: from where (`Source.place`), which content, since when (unix s)."""

    place: str
    mark: str
    at: float


class Deaths(msgspec.Struct):
    """What became of one content at one place. `last`: when the load began that ended in the last of them (unix s)."""

    mark: str
    last: float
    count: int = 1


class Fuse:
    """One per worker. `folder`: where the notes lie; None: nothing is noted and nothing refused."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._folder, self._clock = folder, clock

    def look_back(self) -> None:
        """Count the deaths that notes tell of; once, before anything is loaded."""
        if self._folder is None or not self._folder.is_dir():
            return
        try:
            with self._known(self._folder) as known:
                for path in sorted(self._folder.glob(f"{_NOTE}*")):
                    if (note := _left_behind(path)) is not None:
                        _count(known, note)
                        log.error("a worker ended while it loaded the plugin %s", note.place)
        except OSError as error:
            log.warning("what workers died of can't be read: %s", error)

    @contextmanager
    def loading(self, source: Source, *, by_hand: bool) -> Iterator[None]:
        """Note what is loaded in this block. Raises `LoadError` for what has ended workers before, unless `by_hand`."""
        if self._folder is None:
            yield
            return
        note = Note(source.place, mark_of(source), self._clock.now())
        if not by_hand and self._has_blown(note):
            raise LoadError(
                "it ended the worker twice while it was loaded: change it, or load it again by hand: "
                f"botmatrix plugin reload {source.name}"
            )
        if by_hand:
            self._forgive(note.place)
        with _noted(self._folder, note):
            yield
        self._forgive(note.place)

    def _has_blown(self, note: Note) -> bool:
        found = self._read().get(note.place)
        return found is not None and found.mark == note.mark and found.count >= DEATHS

    def _forgive(self, place: str) -> None:
        if self._folder is None or place not in self._read():
            return
        try:
            with self._known(self._folder) as known:
                known.pop(place, None)
        except OSError as error:
            log.warning("that plugin %s is well can't be noted: %s", place, error)

    def _read(self) -> dict[str, Deaths]:
        if self._folder is None:
            return {}
        try:
            return msgspec.json.decode((self._folder / _DEATHS).read_bytes(), type=dict[str, Deaths])
        except (OSError, ValueError):  # not there yet, or not what was written here
            return {}

    @contextmanager
    def _known(self, folder: Path) -> Iterator[dict[str, Deaths]]:
        """What is known, to be changed; nobody else changes it meanwhile. Raises `OSError`."""
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self._read()
            yield known
            making = folder / f".{_DEATHS}"
            making.write_bytes(msgspec.json.encode(known))
            making.replace(folder / _DEATHS)


def mark_of(source: Source) -> str:
    """What changes with the code of a plugin: its version, its Python files, its `plugin.json`."""
    found = blake2b(str(source).encode(), digest_size=16)
    if source.entry_point is not None and source.entry_point.dist is not None:
        found.update(source.entry_point.dist.version.encode())
    for file in _code(source.path) if source.path is not None else ():
        found.update(f"\0{file}\0".encode())
        with suppress(OSError):
            found.update(file.read_bytes())
    return found.hexdigest()


def _code(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in (*path.rglob("*.py"), path / "plugin.json") if file.is_file())


@contextmanager
def _noted(folder: Path, note: Note) -> Iterator[None]:
    """The note is there inside of the block; if it can't be, the block runs without."""
    kept = None
    try:
        kept = _write(folder, note)
    except OSError as error:
        log.warning("which plugin is loaded can't be noted: %s", error)
    try:
        yield
    finally:
        if kept is not None:
            path, handle = kept
            with suppress(OSError):
                path.unlink()
            os.close(handle)


def _write(folder: Path, note: Note) -> tuple[Path, int]:
    """The note's file and what holds its lock."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=folder, prefix=f".{_NOTE}")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, msgspec.json.encode(note))
        return Path(made).replace(folder / Path(made).name.removeprefix(".")), handle
    except BaseException:
        os.close(handle)
        raise


def _left_behind(path: Path) -> Note | None:
    """The note of a worker that is dead; it is taken away."""
    with suppress(OSError, ValueError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink:  # else its worker has just got through
            path.unlink()
            return msgspec.json.decode(file.read(), type=Note)
    return None


def _count(known: dict[str, Deaths], note: Note) -> None:
    found = known.get(note.place)
    if found is None or found.mark != note.mark or note.at - found.last > IN_A_ROW:
        known[note.place] = Deaths(note.mark, note.at)
    else:
        found.count, found.last = found.count + 1, note.at
