"""Reading the trace: what was reported since an entry, and the newest entry."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.trace import FIELD

START: Final = "0-0"
_ENTRY: Final = re.compile(r"\d{1,19}-\d{1,19}")


class Reported(NamedTuple):
    """One entry of the stream; `payload` is a JSON array of parts."""

    entry_id: str
    payload: bytes


def is_entry_id(text: str) -> bool:
    """Whether this can be the id of an entry."""
    return _ENTRY.fullmatch(text) is not None and all(int(half) < 1 << 64 for half in text.split("-"))


def order(entry_id: str) -> tuple[int, int]:
    """What entries are ordered by."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)


class TraceStream:
    """The stream `trace`, over a connection of its own. Every method raises `EngineUnavailable` and `ReplyError`."""

    def __init__(self, url: str, keys: Keys, *, name: str) -> None:
        self._client = Client(url, name=name)
        self._key = keys.trace

    async def after(self, entry_id: str, count: int) -> list[Reported]:
        """Up to `count` entries after this one, in order."""
        return _read(await self._client.call("XRANGE", self._key, f"({entry_id}", "+", "COUNT", count))

    async def next(self, entry_id: str, count: int, block_ms: int) -> list[Reported]:
        """The same, waiting for the first."""
        reply = await self._client.call(
            *("XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", self._key, entry_id),
        )
        return _read(reply[0][1]) if reply else []

    async def newest(self) -> str:
        """Id of the newest entry; `0-0` when there is none."""
        found = _read(await self._client.call("XREVRANGE", self._key, "+", "-", "COUNT", 1))
        return found[0].entry_id if found else START

    async def trim(self, entry_id: str) -> None:
        """Forget what is older than this entry."""
        await self._client.call("XTRIM", self._key, "MINID", "~", entry_id)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()


def _read(entries: Any) -> list[Reported]:
    return [
        Reported(entry_id.decode(), dict(zip(fields[::2], fields[1::2], strict=False)).get(FIELD, b""))
        for entry_id, fields in entries
    ]
