"""Where events wait on their way to Redis: first in, first out, in memory, then in a file.

In ordinary times it holds a few parcels for a millisecond. While Redis is away it grows: past `memory` bytes the tail
goes to a file, past `disk` bytes it is full and the gateway stops reading (TCP back-pressure); nothing is dropped.
When the file can't be written it is full at once, and what still comes stays in memory.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

import msgspec
import structlog

from botmatrix.nexus.pins import Pin

log = structlog.get_logger("spool")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


class Parcel:
    """One event on its way to a lane: its conversation's pin says which."""

    __slots__ = ("mark", "payload", "pin")

    def __init__(self, pin: Pin, mark: str, payload: bytes) -> None:
        self.pin, self.mark, self.payload = pin, mark, payload


class Spool:
    """A queue of parcels that spills to a file."""

    def __init__(self, path: Path, *, memory: int = 32 << 20, disk: int = 1 << 30) -> None:
        self.path = path
        self._memory, self._disk = memory, disk
        self._head: deque[Parcel] = deque()
        self._head_bytes = 0
        self._pins: deque[Pin] = deque()  # of the parcels in the file, in order
        self._writer: FileIO | None = None
        self._reader: IO[bytes] | None = None
        self._file_bytes = 0
        self._tail: deque[Parcel] = deque()  # what came after the file could not be written

    def __len__(self) -> int:
        return len(self._head) + len(self._pins) + len(self._tail)

    @property
    def full(self) -> bool:
        """Whether nothing more should be read from the bots."""
        return self._file_bytes >= self._disk or bool(self._tail)

    @property
    def crowded(self) -> bool:
        """Whether half the room is gone."""
        return self._file_bytes * 2 >= self._disk or bool(self._tail)

    def put(self, parcel: Parcel) -> None:
        """Add at the tail."""
        if not self._pins and not self._tail and self._head_bytes < self._memory:
            self._head.append(parcel)
            self._head_bytes += len(parcel.payload)
        elif self._tail or not self._spill(parcel):
            self._tail.append(parcel)

    def put_back(self, parcels: list[Parcel]) -> None:
        """Add at the head, in their order."""
        self._head.extendleft(reversed(parcels))
        self._head_bytes += sum(len(parcel.payload) for parcel in parcels)

    def pop(self) -> Parcel:
        """Take from the head. Raises `IndexError` when empty."""
        if not self._head and self._pins:
            self._load()
        if not self._head:
            self._head, self._tail = self._tail, self._head
            self._head_bytes = sum(len(parcel.payload) for parcel in self._head)
        parcel = self._head.popleft()
        self._head_bytes -= len(parcel.payload)
        return parcel

    def drain(self) -> list[Parcel]:
        """Take everything."""
        return [self.pop() for _ in range(len(self))]

    def close(self) -> None:
        """Forget the file."""
        for handle in (self._writer, self._reader):
            if handle is not None:
                handle.close()
        self._writer = self._reader = None
        self._file_bytes = 0
        self.path.unlink(missing_ok=True)

    def _spill(self, parcel: Parcel) -> bool:
        """Write it to the file; False when that can't be done."""
        record = _encoder.encode((parcel.mark, parcel.payload))
        record = len(record).to_bytes(4, "big") + record
        try:
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                writer = self.path.open("wb", buffering=0)
                self._reader, self._writer = self.path.open("rb"), writer
            if self._writer.write(record) == len(record):
                self._pins.append(parcel.pin)
                self._file_bytes += len(record)
                return True
            reason = "there is no room"
        except OSError as error:
            reason = str(error)
        log.error("events can't be kept in a file: bots are not read any more", path=str(self.path), reason=reason)
        if not self._pins:
            with suppress(OSError):
                self.close()
        return False

    def _load(self, count: int = 256) -> None:
        assert self._reader is not None  # noqa: S101  there are pins, so there is a file
        for _ in range(min(count, len(self._pins))):
            size = int.from_bytes(self._reader.read(4), "big")
            mark, payload = _decoder.decode(self._reader.read(size))
            self._head.append(Parcel(self._pins.popleft(), mark, payload))
            self._head_bytes += len(payload)
        if not self._pins:
            self.close()


def save(path: Path, content: dict[str, Any]) -> None:
    """Write what could not be delivered before the process ends, for its successor (`load`)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(_encoder.encode(content))
    part.chmod(0o600)
    part.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read what a predecessor saved. Raises `OSError`, `msgspec.DecodeError`."""
    content: dict[str, Any] = _decoder.decode(path.read_bytes())
    return content
