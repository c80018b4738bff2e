"""What commands about plugins work with: what is wanted, the shelf of packages, and what workers make of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from botmatrix.bus.keys import Keys
from botmatrix.cli.common import presence_of, say
from botmatrix.cli.tables import Note, tables_of
from botmatrix.config import Settings

if TYPE_CHECKING:
    from botmatrix.bus.presence import Presence
    from botmatrix.control.core_keeper import PluginsKeeper
    from botmatrix.control.shelf import Shelf

PATIENCE = 20.0
"""Seconds that the workers are waited for."""
Rows: TypeAlias = dict[str, dict[str, Any]]
"""What each worker tells of a plugin, by the worker's id."""


@dataclass(frozen=True, slots=True)
class Desk:
    """`note` writes a change into the operation log."""

    presence: Presence
    keeper: PluginsKeeper
    shelf: Shelf
    note: Note

    async def workers(self) -> list[str]:
        """Ids of the workers that are there."""
        return [worker["id"] for worker in await self.presence.workers()]

    async def told(self, plugin: str) -> Rows:
        """What each worker tells of a plugin that has it."""
        return {
            worker: {**found, "worker": worker}
            for worker in await self.workers()
            for found in await self.presence.plugins(worker)
            if found.get("id") == plugin
        }

    async def settled(
        self, plugin: str, before: Rows, expected: Collection[str], is_so: Callable[[dict[str, Any]], bool]
    ) -> Rows:
        """What the workers tell once each of those expected has acted, or after a while."""
        until = time.monotonic() + PATIENCE
        while True:
            now = await self.told(plugin)
            waited_for = [id for id in expected if not _has_acted(before.get(id, {}), now.get(id, {}), is_so)]
            if not waited_for or time.monotonic() > until:
                return now
            await asyncio.sleep(0.2)


def _has_acted(before: dict[str, Any], now: dict[str, Any], is_so: Callable[[dict[str, Any]], bool]) -> bool:
    return is_so(now) or any(before.get(key) != now.get(key) for key in ("since", "error_at"))


@asynccontextmanager
async def desk_of(settings: Settings) -> AsyncIterator[Desk]:
    """A desk, for the length of a block. Raises `EngineUnavailable`."""
    from botmatrix.bus.client import Client
    from botmatrix.bus.packages import PackageBox
    from botmatrix.bus.plugins import PluginsBox
    from botmatrix.control.core_keeper import PluginsKeeper
    from botmatrix.control.shelf import Shelf
    from botmatrix.store.core import PluginDocuments
    from botmatrix.store.operations import Operations
    from botmatrix.store.packages import Packages

    client = Client(str(settings.redis_url), name="botmatrix-cli")
    try:
        async with tables_of(settings) as (database, note), presence_of(settings) as presence:
            keeper = PluginsKeeper(PluginsBox(client, Keys()), PluginDocuments(database), Operations(database))
            shelf = Shelf(Packages(database), keeper, PackageBox(client, Keys()))
            yield Desk(presence, keeper, shelf, note)
    finally:
        await client.close()


def show_rows(rows: Rows) -> None:
    """A line for each worker."""
    for row in rows.values():
        error = f": {row['error']}" if row.get("error") else ""
        beside = f" (not used: {', '.join(row['shadowed'])})" if row.get("shadowed") else ""
        say(f"{row['worker']}  {row['id']} {row.get('version', '')} {row.get('state', '')}{error}{beside}".rstrip())
