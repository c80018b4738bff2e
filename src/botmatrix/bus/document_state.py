"""A document as a process holds it: read from Redis, swapped whole, kept in HOME."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.documents import DocumentBox, Kept
from botmatrix.bus.nudge import Nudge
from botmatrix.config.home import Home
from botmatrix.errors import BotMatrixError, EngineUnavailable

log = structlog.get_logger("documents")
V = TypeVar("V")
EVERY = 2.0
"""Seconds between two looks at the version, in case that a signal was lost."""


class DocumentState(Generic[V]):
    """What was made of the document in force. While Redis is away, or holds what can't be used, the last one stays.

    `make` makes it, in a thread, or raises a `BotMatrixError`. `on_change` is called with every new one, whose copy is
    in HOME by then: what somebody saw in force is known after a crash too.
    """

    def __init__(self, box: DocumentBox, home: Home, file: str, make: Callable[[bytes], V], first: V) -> None:
        self._box, self._home, self._make = box, home, make
        self._file = home.root / file
        self.nudge = Nudge(EVERY)
        self._looking = asyncio.Lock()
        self._refused = -1
        self.version = 0
        self.value = first
        self.on_change: Callable[[V], None] = lambda _value: None

    def restore(self) -> None:
        """Take the last good copy of HOME, if there is one."""
        try:
            found = json.loads(self._file.read_text("utf-8"))
            version, value = int(found["version"]), self._make(json.dumps(found["document"]).encode())
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, BotMatrixError) as error:
            log.warning("the copy of a document can't be used", file=str(self._file), error=str(error))
            return
        self._take(version, value)

    async def run(self) -> None:
        """Look when nudged, and every 2 s."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("a document stays as it is", file=self._file.name, error=str(error))
            await self.nudge.wait()

    async def look(self, *, first: bool = False) -> None:
        """Take the version of Redis when it is another one (or, `first`, whichever). Raises `EngineUnavailable`."""
        async with self._looking:
            if not first and await self._box.version() in (0, self.version, self._refused):
                return
            kept = await self._box.read()
            if kept is not None:
                await self._load(kept)

    async def _load(self, kept: Kept) -> None:
        try:
            # Thousands of words take a while to compile; events must not wait for that.
            value = await asyncio.to_thread(self._make, kept.document)
        except BotMatrixError as error:
            self._refused = kept.version
            log.error(
                "a document can't be used, the last one stays",
                file=self._file.name,
                version=kept.version,
                error=str(error),
            )
            return
        await asyncio.to_thread(self._copy, kept)
        self._take(kept.version, value)

    def _copy(self, kept: Kept) -> None:
        copy = json.dumps({"version": kept.version, "document": json.loads(kept.document)}, ensure_ascii=False)
        try:
            self._home.write_private(self._file, copy)
        except OSError as error:
            log.warning("a document could not be copied", file=str(self._file), error=str(error))

    def _take(self, version: int, value: V) -> None:
        self.version, self.value = version, value
        self._refused = -1
        log.info("a document is in force", file=self._file.name, version=version)
        self.on_change(value)
