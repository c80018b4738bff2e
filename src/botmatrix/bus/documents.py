"""A document with a version in Redis: control keeps it, every part that it is about goes by it."""

from __future__ import annotations

from typing import NamedTuple

from botmatrix.bus.client import Client
from botmatrix.bus.scripts import CONFIGURE


class Kept(NamedTuple):
    """The document as it stands in Redis. Versions rise by one with each change."""

    version: int
    document: bytes


class Place(NamedTuple):
    """Names in Redis: of the version, of the document, and of the channel that tells of a new version."""

    version: str
    document: str
    changed: str


class DocumentBox:
    """Reads and writes over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, place: Place) -> None:
        self._client, self._place = client, place

    async def read(self) -> Kept | None:
        """The document; None when Redis has none, or none that can be told from its version."""
        version, document = await self._client.call("MGET", self._place.version, self._place.document)
        if not document or not (version or b"").isdigit():
            return None
        return Kept(int(version), document)

    async def version(self) -> int:
        """The version alone; 0 when there is none."""
        version = await self._client.call("GET", self._place.version)
        return int(version) if (version or b"").isdigit() else 0

    async def write(self, document: bytes, *, expected: int, version: int) -> bool:
        """Put a document in place of version `expected` (or of none) and tell everybody; False: it has changed."""
        keys = [self._place.version, self._place.document]
        return bool(await self._client.run(CONFIGURE, keys, expected, version, document, self._place.changed))

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()
