"""How packages of plugins come to workers: a worker asks in Redis, control lays the pieces there for a while.

Workers need not know PostgreSQL, where packages are kept, nor control's address. The pieces are small, so that no
command holds others up, and go by themselves, so that Redis never holds more than what was asked for lately.
"""

from __future__ import annotations

from typing import Final

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys

PIECE: Final = 256 * 1024
"""Bytes of a piece."""
SECONDS: Final = 120
"""How long a piece lies there."""
_AT_ONCE: Final = 16


def pieces(size: int) -> int:
    """How many pieces a package of so many bytes has."""
    return -(-size // PIECE)


class PackageBox:
    """Over a connection of its owner's. Every method raises `EngineUnavailable` and `ReplyError`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def ask(self, sha256: str) -> None:
        """Have control lay a package down."""
        await self._client.call("SADD", self._keys.packages_asked, sha256)

    async def asked(self) -> list[str]:
        """Packages that were asked for; whoever gets them here is the one to lay them down."""
        found = await self._client.call("SPOP", self._keys.packages_asked, _AT_ONCE)
        return [sha256.decode(errors="replace") for sha256 in found]

    async def put(self, sha256: str, number: int, data: bytes) -> None:
        """Lay a piece down. They all stay for 2 min after the last one."""
        key = self._keys.package(sha256)
        await self._client.pipeline(("HSET", key, number, data), ("EXPIRE", key, SECONDS))

    async def piece(self, sha256: str, number: int) -> bytes | None:
        """A piece; None while it is not there."""
        found: bytes | None = await self._client.call("HGET", self._keys.package(sha256), number)
        return found

    async def is_there(self, sha256: str, size: int) -> bool:
        """Whether all pieces lie there."""
        return bool(await self._client.call("HLEN", self._keys.package(sha256)) == pieces(size))
