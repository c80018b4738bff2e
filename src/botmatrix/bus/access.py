"""Who may connect as a bot, as every nexus reads it: one small document with its digest for a version.

Holds digests of tokens, never tokens. Control writes it, from the table `bot_access`.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import CONFIGURE


class Access(msgspec.Struct, frozen=True):
    """`tokens`: bot -> SHA-256 of its own token, in hex. `bans`: bot -> unix seconds. `kicks`: bot -> how often."""

    tokens: dict[str, str] = {}
    bans: dict[str, float] = {}
    kicks: dict[str, int] = {}

    def encode(self) -> bytes:
        """As it stands in Redis; equal ones are equal bytes."""
        return msgspec.json.encode(self, order="deterministic")


class Kept(NamedTuple):
    """The document as it stands in Redis."""

    version: str
    document: bytes


def version_of(document: bytes) -> str:
    """The version of a document: its digest."""
    return hashlib.sha256(document).hexdigest()[:32]


def parse(document: bytes) -> Access:
    """Raises `ValueError` (`msgspec.DecodeError` is one); unknown fields are left alone."""
    try:
        return msgspec.json.decode(document, type=Access)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


class AccessBox:
    """Reads and writes over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def version(self) -> str:
        """The version alone; empty when there is none."""
        version = await self._client.call("GET", self._keys.access_version)
        return (version or b"").decode(errors="replace")

    async def read(self) -> Kept | None:
        """The document; None when Redis has none."""
        version, document = await self._client.call("MGET", self._keys.access_version, self._keys.access)
        return Kept(version.decode(errors="replace"), document) if version and document else None

    async def write(self, document: bytes, *, expected: str) -> bool:
        """Put it in place of version `expected` (or of none) and tell every nexus; False: that has changed."""
        k = self._keys
        keys = [k.access_version, k.access]
        return bool(await self._client.run(CONFIGURE, keys, expected, version_of(document), document, k.access_changed))
