"""Control's shelf of packages on real engines, for workers that run beside it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.worker.support import KEYS, Stage

from botmatrix.bus.packages import PackageBox
from botmatrix.bus.plugins import PluginsBox
from botmatrix.control.core_keeper import PluginsKeeper
from botmatrix.control.shelf import Shelf
from botmatrix.core.plugins import granted, reloaded, rolled_back, switched
from botmatrix.store.core import PluginDocuments
from botmatrix.store.engine import Database
from botmatrix.store.operations import Operations
from botmatrix.store.packages import Packages

BY = "tests"


class Store:
    """What an administrator does with packages."""

    def __init__(self, stage: Stage, database: Database) -> None:
        self.keeper = PluginsKeeper(PluginsBox(stage.redis, KEYS), PluginDocuments(database), Operations(database))
        self.shelf = Shelf(Packages(database), self.keeper, PackageBox(stage.redis, KEYS))

    async def install(self, data: bytes) -> None:
        added = await self.shelf.add(io.BytesIO(data), BY)
        await self.shelf.activate(added.package.manifest.id, added.package.manifest.version, BY)

    async def activate(self, version: str, plugin: str = "dice") -> None:
        await self.shelf.activate(plugin, version, BY)

    async def roll_back(self, plugin: str = "dice") -> None:
        await self.keeper.change(lambda wishes: rolled_back(wishes, plugin), BY)

    async def grant(self, plugin: str, *actions: str) -> None:
        await self.keeper.change(lambda wishes: granted(wishes, plugin, actions), BY)

    async def reload(self, plugin: str = "dice") -> None:
        await self.keeper.change(lambda wishes: reloaded(wishes, plugin), BY)

    async def switch(self, *, on: bool, plugin: str = "dice") -> None:
        await self.keeper.change(lambda wishes: switched(wishes, plugin, on=on), BY)


@asynccontextmanager
async def shelf(stage: Stage, database_url: str) -> AsyncIterator[Store]:
    """A store whose shelf lays down what workers ask for."""
    database = Database(database_url, part="tests")
    store = Store(stage, database)
    tasks = [asyncio.create_task(store.shelf.run()), asyncio.create_task(store.keeper.run())]
    try:
        yield store
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()
