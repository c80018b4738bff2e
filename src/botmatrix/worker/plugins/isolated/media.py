"""Large media of a Python plugin in a process of its own: cut into parts there, put together by the worker."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from botmatrix.bus.media import LARGEST, MediaBox
from botmatrix.errors import ActionFailed, EngineUnavailable
from botmatrix.worker.plugins.isolated.remote_sessions import Ask

PUT: Final = "media.put"
PART: Final = 384 << 10
"""Bytes that travel in one line."""


class Part(msgspec.Struct):
    """The next bytes of a piece, and whether more of them follow. `token`: its name, chosen by who sends it."""

    token: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_\-]{32}\Z")]
    data: bytes
    more: bool = False


class Parts:
    """Pieces that are not whole yet; those that nobody goes on with make room."""

    def __init__(self) -> None:
        self._begun: dict[str, bytearray] = {}

    def add(self, part: Part) -> bytes | None:
        """The piece if it is whole now. Raises `ValueError` for one that is too large."""
        data = self._begun.pop(part.token, bytearray())
        data += part.data
        if len(data) > LARGEST:
            raise ValueError(f"a file may have {LARGEST >> 20} MiB at most")
        if not part.more:
            return bytes(data)
        self._begun[part.token] = data
        while sum(map(len, self._begun.values())) > LARGEST:
            del self._begun[next(iter(self._begun))]
        return None


class RemoteMedia(MediaBox):
    """Kept by the worker (`bus.media.MediaBox`)."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def keep(self, token: str, data: bytes) -> None:
        """Keep a piece for an hour. Raises `ActionFailed`, `EngineUnavailable`."""
        for start in range(0, len(data), PART):
            part = Part(token, data[start : start + PART], more=start + PART < len(data))
            told = await self._ask(PUT, msgspec.to_builtins(part))
            if not told["ok"] and told.get("engine"):
                raise EngineUnavailable(told["engine"], told["error"])
            if not told["ok"]:
                raise ActionFailed(told.get("retcode") or 1400, told["error"], "send_msg")

    async def close(self) -> None:
        """Nothing is open."""
