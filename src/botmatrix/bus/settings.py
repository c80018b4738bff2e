"""The settings of the database in Redis, where every part reads them; and requests to start again."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import CONFIGURE

RESTART_SECONDS = 300
"""For how long a request to start again waits for its part."""


class Published(NamedTuple):
    """A document (`config.Stored`) and its version, a digest of it."""

    version: str
    document: bytes


class Glance(NamedTuple):
    """What changes: the version of the settings, whether the process is to start again."""

    version: str
    restart: bool


def version_of(document: str) -> str:
    """Equal documents have equal versions."""
    return hashlib.sha256(document.encode()).hexdigest()[:32]


class SettingsBox:
    """Reads and writes over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def read(self) -> Published | None:
        """The document; None when Redis has none."""
        k = self._keys
        version, document = await self._client.call("MGET", k.settings_version, k.settings)
        return Published(version.decode(errors="replace"), document) if version and document else None

    async def glance(self, inc: str) -> Glance:
        """What a process looks at again and again."""
        k = self._keys
        version, restart = await self._client.call("MGET", k.settings_version, k.restart(inc))
        return Glance((version or b"").decode(errors="replace"), restart is not None)

    async def publish(self, document: str, *, expected: str) -> bool:
        """Put a document in place of version `expected` (or of none) and tell every part; False: it has changed."""
        k = self._keys
        keys = [k.settings_version, k.settings]
        return bool(
            await self._client.run(CONFIGURE, keys, expected, version_of(document), document, k.settings_changed)
        )

    async def restart(self, inc: str) -> None:
        """Ask one process to end in order and start again."""
        k = self._keys
        answers = await self._client.pipeline(
            ("SET", k.restart(inc), "1", "EX", RESTART_SECONDS), ("PUBLISH", k.settings_changed, "restart")
        )
        for answer in answers:
            if isinstance(answer, ReplyError):
                raise answer

    async def withdraw(self, inc: str) -> None:
        """Nobody waits for this process to start again any more."""
        await self._client.call("DEL", self._keys.restart(inc))

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()
