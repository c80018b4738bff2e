"""Pictures, sounds and files on their way to a bot: kept in Redis for an hour, fetched from any nexus by a secret name.

In an action such a file is `botmatrix-media:TOKEN`; the nexus that writes the action to the bot makes it a URL.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import KEEP
from botmatrix.clock import Clock
from botmatrix.errors import ActionFailed

SCHEME: Final = "botmatrix-media:"
INLINE: Final = 32 * 1024
"""Characters of base64 that travel in the action itself: every bot can read that, and small ones cost little."""
LARGEST: Final = 32 << 20
"""Bytes of one piece."""
TOTAL: Final = 256 << 20
"""Bytes of all pieces together."""
SECONDS: Final = 3600
TOO_MUCH: Final = 1413
"""Retcode of the hub's own: the media is too large, or there is no room for it."""
_BASE64: Final = "base64://"
_KINDS: Final = frozenset({"image", "record", "video", "file"})
_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-]{32}")


def is_token(text: str) -> bool:
    """Whether this may be the name of a piece."""
    return _TOKEN.fullmatch(text) is not None


class MediaBox:
    """Keeps and finds. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys, clock: Clock) -> None:
        self._client, self._keys, self._clock = client, keys, clock

    def offload(self, segments: Iterable[dict[str, Any]]) -> list[Callable[[], Awaitable[None]]]:
        """Put names in the place of large media; what is given keeps them, and must be done before the names leave.

        Raises `ActionFailed` (1413) for what is too large.
        """
        return [found for segment in segments if (found := self._offloaded(segment)) is not None]

    async def keep(self, token: str, data: bytes) -> None:
        """Keep a piece for an hour. Raises `ActionFailed` (1413) when there is no room."""
        k, now = self._keys, int(self._clock.now() * 1000)
        keys = [k.media(token), k.media_index, k.media_sizes]
        if not await self._client.run(KEEP, keys, token, data, SECONDS * 1000, now, TOTAL):
            raise ActionFailed(TOO_MUCH, f"{TOTAL >> 20} MiB of media wait for bots already", "send_msg")

    async def find(self, token: str) -> bytes | None:
        """A piece; None when there is none (any more)."""
        found: bytes | None = await self._client.call("GET", self._keys.media(token))
        return found

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    def _offloaded(self, segment: dict[str, Any]) -> Callable[[], Awaitable[None]] | None:
        data = segment["data"]
        file = data.get("file")
        if segment["type"] not in _KINDS or type(file) is not str or len(file) <= INLINE:
            return None
        if not file.startswith(_BASE64):
            return None
        if len(file) > LARGEST * 4 // 3 + 100:
            raise ActionFailed(TOO_MUCH, f"a file may have {LARGEST >> 20} MiB at most", "send_msg")
        try:
            piece = base64.b64decode(file[len(_BASE64) :], validate=True)
        except binascii.Error:
            return None
        token = secrets.token_urlsafe(24)
        data["file"] = SCHEME + token
        return partial(self.keep, token, piece)
