"""Media for bots: names in actions become URLs that the bot can reach, and the gateway serves them."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.media import SCHEME, MediaBox, is_token
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.handshake import Refuse, split
from botmatrix.nexus.http.asked import MEDIA, TEXT, Asked, OnReply, Reply

log = structlog.get_logger("media")

NAMED: Final = b'"file":"' + SCHEME.encode()
"""In JSON text this stands nowhere else: within a string the quote would be escaped."""
AT_ONCE: Final = 8
"""Pieces that are read and sent at the same time."""
_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    (b"OggS", "audio/ogg"),
    (b"%PDF-", "application/pdf"),
)
_RIFF: Final = re.compile(rb"RIFF.{4}(WEBP|WAVE)", re.DOTALL)
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("Cache-Control", "private, max-age=600"),
)


def addressed(params: bytes, base: str) -> bytes:
    """The parameters of an action, with URLs below `base` (`http://host:port`) in the place of names."""
    return params.replace(NAMED, f'"file":"{base}{MEDIA}'.encode())


def hub_address(host: str, port: int) -> str:
    """Where the gateway is, for a bot that was dialled: its host, or this machine's name if it listens everywhere."""
    named = socket.gethostname() if host in ("", "0.0.0.0", "::") else host  # noqa: S104
    return f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"


class MediaDesk:
    """Answers `GET /media/TOKEN`. Whoever knows the name may have the piece: bots fetch without a token of theirs."""

    def __init__(self, box: MediaBox) -> None:
        self._box = box
        self._tasks: set[asyncio.Task[None]] = set()

    def judge(self, asked: Asked) -> Refuse | None:
        """Refuse by the head alone."""
        if asked.method not in ("GET", "HEAD"):
            return Refuse(405, "media is fetched", "use GET", (("Allow", "GET, HEAD"),))
        if len(self._tasks) >= AT_ONCE:
            return Refuse(503, "much media is being fetched", "try again soon", (("Retry-After", "1"),))
        return None

    def serve(self, asked: Asked, reply: OnReply) -> None:
        """Answer, when Redis has."""
        task = asyncio.create_task(self._serve(split(asked.request.target)[0].removeprefix(MEDIA), reply), name="media")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, token: str, reply: OnReply) -> None:
        try:
            found = await self._box.find(token) if is_token(token) else None
        except (EngineUnavailable, ReplyError) as error:
            log.debug("media can't be read", error=str(error))
            reply(Reply(503, b"try again soon", TEXT, (("Retry-After", "1"),)))
            return
        if found is None:
            reply(Reply(404, b"there is nothing (any more) at this address", TEXT))
        else:
            reply(Reply(200, found, _kind(found), _HEADERS))


def _kind(piece: bytes) -> str:
    """Told from its first bytes; what could be a page or a script is none."""
    if found := _RIFF.match(piece):
        return "image/webp" if found[1] == b"WEBP" else "audio/wav"
    if piece[4:8] == b"ftyp":
        return "video/mp4"
    return next((kind for head, kind in _KINDS if piece.startswith(head)), "application/octet-stream")
