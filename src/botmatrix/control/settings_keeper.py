"""Settings in two places: PostgreSQL keeps them, Redis carries them to every part.

PostgreSQL is right: whatever differs in Redis is replaced within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.settings import SettingsBox, version_of
from botmatrix.config import Current, Home, Stored, check_change, remember
from botmatrix.errors import ConfigError, EngineUnavailable
from botmatrix.store.settings import SettingsTable

EVERY: Final = 0.5
"""Seconds between two looks whether both hold the same, so that a change acts within a second."""
TOKENS: Final = ("bot_token", "worker_token")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """A change that was made. `published`: Redis has it, so every part acts by it within a second."""

    before: Mapping[str, Any]
    published: bool


class SettingsKeeper:
    """Reads and changes the settings of the database; keeps Redis and this process in step."""

    def __init__(self, table: SettingsTable, box: SettingsBox, current: Current) -> None:
        self._table, self._box, self.current = table, box, current
        self._seen = ""
        self._soon = asyncio.Event()

    async def run(self) -> None:
        """Compare again and again."""
        while True:
            self._soon.clear()
            with contextlib.suppress(EngineUnavailable):
                await self.reconcile()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._soon.wait()

    def soon(self) -> None:
        """Something has changed in the database: who commands the hub from chat, perhaps."""
        self._soon.set()

    async def seed(self, home: Home) -> None:
        """Share the tokens that were generated here, unless another node was first. Raises `EngineUnavailable`."""
        found = home.secret_values()
        await self._table.seed({key: found[key] for key in TOKENS})

    async def reconcile(self) -> bool:
        """Bring what the database holds to this process and to Redis; whether Redis has it now.

        Raises `EngineUnavailable` when PostgreSQL is away.
        """
        live = await self._live_version()
        stored = await self._table.read()
        await self._take(stored)
        document = stored.document()
        if live is None or live == version_of(document):
            return live is not None
        try:
            return await self._box.publish(document, expected=live)
        except (EngineUnavailable, ReplyError):
            return False

    async def change(self, change: Mapping[str, Any], by: str) -> Done:
        """Set values in the database, or with None take them away.

        Raises `ConfigError` when one of them is wrong, and then changes nothing; `EngineUnavailable` when PostgreSQL
        is away.
        """
        check_change(self.current.running.inputs, await self._table.read(), change)
        before = await self._table.change(change, by)
        return Done(before, await self.reconcile() or await self.reconcile())

    async def _live_version(self) -> str | None:
        """What Redis holds; None when it is away."""
        try:
            return (await self._box.glance("")).version
        except (EngineUnavailable, ReplyError):
            return None

    async def _take(self, stored: Stored) -> None:
        version = version_of(stored.document())
        if version == self._seen:
            return
        try:
            self.current.take(stored)
        except ConfigError as error:
            log.error("the settings in the database can't be used, the last ones stay", error=str(error))
            return
        self._seen = version
        try:
            await asyncio.to_thread(remember, self.current.running.home, stored)
        except OSError as error:
            log.warning("the settings could not be copied", error=str(error))
