"""A document in two places: PostgreSQL keeps it, Redis carries it to every nexus.

The higher version is the newer one, wherever it was made: a chat administrator's verb is written to Redis first, a
change by REST to PostgreSQL first. Whichever engine was away gets it when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.documents import DocumentBox, Kept
from botmatrix.errors import BotMatrixError, EngineUnavailable
from botmatrix.store.core import Documents

EVERY: Final = 2.0
"""Seconds between two looks whether both hold the same."""
BY_CHAT: Final = "chat"
_TRIES: Final = 10

log = structlog.get_logger(__name__)


class Document(Protocol):
    """What is kept."""

    def to_json(self) -> bytes:
        """As it is kept."""
        ...


D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Current(Generic[D]):
    """The newest document. `published`: Redis has it, so every nexus acts by it within a second."""

    version: int
    config: D
    published: bool


@dataclass(frozen=True, slots=True)
class Changed(Current[D]):
    """A change that was made; `before`: what it was made of."""

    before: D


class Keeper(Generic[D]):
    """Reads and changes a document; keeps both engines in step. `parse` raises a `BotMatrixError`."""

    def __init__(self, box: DocumentBox, documents: Documents, parse: Callable[[bytes | str], D], empty: D) -> None:
        self._box, self._documents, self._parse, self._empty = box, documents, parse, empty
        self._refused = -1

    async def run(self) -> None:
        """Compare every 2 s."""
        while True:
            try:
                await self.reconcile()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("a document could not be compared", reason=str(error))
            await asyncio.sleep(EVERY)

    async def reconcile(self) -> None:
        """Bring the newer one to where the older one is. Raises `EngineUnavailable`."""
        live, saved = await self._box.read(), await self._documents.read()
        here, there = live.version if live else 0, saved.version if saved else 0
        if live is not None and here > there and not self._is_usable(live):
            there = here + 1  # the saved one, under a version that every nexus takes
        if saved is not None and there > here:
            await self._box.write(saved.document.encode(), expected=here, version=there)
        elif live is not None and here > there:
            if await self._documents.save(here, live.document.decode(), BY_CHAT):
                before = self._empty
                if saved is not None:
                    with contextlib.suppress(BotMatrixError):  # of another version
                        before = self._parse(saved.document)
                await self.taken_over(before, self._parse(live.document))

    async def taken_over(self, before: D, after: D) -> None:
        """A change that was made in Redis, by a verb in a chat, is kept now; once, whatever the number of processes."""

    async def current(self) -> Current[D]:
        """The newest one. Raises `EngineUnavailable` when PostgreSQL is away."""
        live, saved = await self._live(), await self._documents.read()
        if live is not None and (saved is None or live.version >= saved.version) and self._is_usable(live):
            return Current(live.version, self._parse(live.document), published=True)
        if saved is not None:
            return Current(saved.version, self._parse(saved.document), published=False)
        return Current(0, self._empty, published=True)

    async def change(self, edit: Callable[[D], D], by: str) -> Changed[D]:
        """Save what `edit` makes of the newest one, then publish it.

        `edit` may be called again, when somebody else's change came in between. Raises what `edit` does,
        and `EngineUnavailable` when PostgreSQL is away.
        """
        for _ in range(_TRIES):
            live, before = await self._live(), await self.current()
            here = live.version if live else 0
            config, version = edit(before.config), max(before.version, here) + 1
            document = config.to_json()
            if not await self._documents.save(version, document.decode(), by):
                continue
            try:
                if await self._box.write(document, expected=here, version=version):
                    return Changed(version, config, published=True, before=before.config)
            except EngineUnavailable:
                return Changed(version, config, published=False, before=before.config)
        raise EngineUnavailable("the document", "it is being changed by others without a pause", "Try again")

    async def _live(self) -> Kept | None:
        try:
            return await self._box.read()
        except EngineUnavailable:
            return None

    def _is_usable(self, kept: Kept) -> bool:
        try:
            self._parse(kept.document)
        except BotMatrixError as error:
            if kept.version != self._refused:
                log.error("Redis holds a document that can't be used", version=kept.version, reason=str(error))
            self._refused = kept.version
            return False
        return True
