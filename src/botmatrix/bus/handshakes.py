"""The last refused handshakes of all nexuses, where anybody can look at them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys

KEPT = 500
KEPT_FOR = 3600


class Handshake(msgspec.Struct, frozen=True):
    """One refused upgrade. `at`: unix seconds. `target`: path and query, tokens masked. `cure`: what to do about it."""

    at: float
    nexus: str
    remote: str
    target: str
    self_id: str
    user_agent: str
    status: int
    reason: str
    cure: str


class HandshakeBox:
    """Reads and writes over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._key = client, keys.handshakes

    async def add(self, handshakes: Sequence[Handshake]) -> None:
        """Add the newest, oldest first; at most the last 500 are kept, for an hour."""
        bodies = [msgspec.json.encode(one) for one in handshakes[-KEPT:]]
        await self._client.pipeline(
            ("LPUSH", self._key, *bodies), ("LTRIM", self._key, 0, KEPT - 1), ("EXPIRE", self._key, KEPT_FOR)
        )

    async def recent(self, now: float) -> list[Handshake]:
        """Those of the last hour, newest first; what can't be read is left out."""
        bodies = await self._client.call("LRANGE", self._key, 0, KEPT - 1)
        found = [one for body in bodies if (one := _read(body)) is not None and now - one.at < KEPT_FOR]
        return sorted(found, key=lambda one: -one.at)


def _read(body: bytes) -> Handshake | None:
    try:
        return msgspec.json.decode(body, type=Handshake)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
