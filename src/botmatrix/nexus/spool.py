"""Where events wait on their way to Redis: first in, first out, in memory, then in a file.

In ordinary times it holds a few parcels for a millisecond. While Redis is away it grows: past `memory` bytes the tail
goes to a file, past `disk` bytes it is full and the gateway stops reading (TCP back-pressure); nothing is dropped.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import IO, Any

import msgspec

from botmatrix.nexus.pins import Pin

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
        self._writer: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None
        self._file_bytes = 0

    def __len__(self) -> int:
        return len(self._head) + len(self._pins)

    @property
    def full(self) -> bool:
        """Whether nothing more should be read from the bots."""
        return self._file_bytes >= self._disk

    @property
    def crowded(self) -> bool:
        """Whether half the room is gone."""
        return self._file_bytes * 2 >= self._disk

    @property
    def size(self) -> int:
        """Bytes of payload that wait."""
        return self._head_bytes + self._file_bytes

    def put(self, parcel: Parcel) -> None:
        """Add at the tail. Raises `OSError` when the file can't be written; the parcel is then kept in memory."""
        if self._pins or self._head_bytes >= self._memory:
            self._spill(parcel)
        else:
            self._head.append(parcel)
            self._head_bytes += len(parcel.payload)

    def put_back(self, parcels: list[Parcel]) -> None:
        """Add at the head, in their order."""
        self._head.extendleft(reversed(parcels))
        self._head_bytes += sum(len(parcel.payload) for parcel in parcels)

    def pop(self) -> Parcel:
        """Take from the head. Raises `IndexError` when empty."""
        if not self._head and self._pins:
            self._load()
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
        self.path.unlink(missing_ok=True)

    def _spill(self, parcel: Parcel) -> None:
        try:
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._writer = self.path.open("wb")
                self._reader = self.path.open("rb")
            record = _encoder.encode((parcel.mark, parcel.payload))
            self._writer.write(len(record).to_bytes(4, "big") + record)
        except OSError:
            # Memory is the last place left; `full` has no file to measure, so the caller must stop reading.
            self._file_bytes = self._disk
            if not self._pins:
                self._head.append(parcel)
                self._head_bytes += len(parcel.payload)
                return
            raise
        self._pins.append(parcel.pin)
        self._file_bytes += len(record) + 4

    def _load(self, count: int = 256) -> None:
        assert self._writer is not None  # noqa: S101  there are pins, so there is a file
        assert self._reader is not None  # noqa: S101
        self._writer.flush()
        for _ in range(min(count, len(self._pins))):
            size = int.from_bytes(self._reader.read(4), "big")
            mark, payload = _decoder.decode(self._reader.read(size))
            self._head.append(Parcel(self._pins.popleft(), mark, payload))
            self._head_bytes += len(payload)
        if not self._pins:
            self.close()
            self._file_bytes = 0


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
