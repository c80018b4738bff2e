"""One version of a plugin: its code, what it runs, the events it works on."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from secrets import token_hex
from typing import Any

from botmatrix.core.plugin_settings import Configured
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.app import App
from botmatrix.sdk.handler import Function
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.plugin import Plugin
from botmatrix.sdk.raised import must_leave
from botmatrix.sdk.services import Services
from botmatrix.worker.plugins import leftovers
from botmatrix.worker.plugins.crons import Crons
from botmatrix.worker.plugins.info import PluginInfo
from botmatrix.worker.plugins.isolated.plugin import Apart
from botmatrix.worker.plugins.life import Life
from botmatrix.worker.plugins.scope import Scope
from botmatrix.worker.plugins.settings import SettingsRefused, filled, schema_of
from botmatrix.worker.plugins.skills import Offer, SkillTable
from botmatrix.worker.plugins.source import Source
from botmatrix.worker.plugins.table import Bound, Table
from botmatrix.worker.plugins.threads import Threads

log = logging.getLogger(__name__)

HOOK_TIMEOUT = 30.0
"""Seconds that each hook of a plugin may take at its start and at its end."""


class Version:
    """What was loaded from a source. `code` forgets its modules; what it runs has a scope of its own.

    `order`: the place of its handlers among those of other plugins.
    """

    def __init__(self, source: Source, plugin: Plugin, code: Scope, info: PluginInfo, order: int) -> None:
        self.source, self.plugin, self.code, self.info, self.order = source, plugin, code, info, order
        self.life = Life(down=plugin.down if isinstance(plugin, Apart) else None)
        self.bounds: list[Bound] = []
        self.offers: list[Offer] = []
        self._running = Scope(plugin.id)
        self._deaf: list[Callable[[], object]] = []
        self._listening = False
        self._app: App | None = None
        self._crons: Crons | None = None
        self.settings = Configured()
        self.settings_error = ""
        self._grants: Collection[str] = ()

    @property
    def id(self) -> str:
        """The plugin's id."""
        return self.plugin.id

    @property
    def refused(self) -> dict[str, int]:
        """What it tried and may not do, and how often."""
        return dict(self._app.refused) if self._app is not None else {}

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The form of its settings; None without settings."""
        return self.plugin.given.schema if isinstance(self.plugin, Apart) else schema_of(self.plugin)

    @property
    def _has_settings(self) -> bool:
        if isinstance(self.plugin, Apart):
            return self.plugin.given.schema is not None
        return self.plugin.config is not None

    @property
    def serves(self) -> bool:
        """Whether it hears events."""
        return self._listening

    def grant(self, actions: Collection[str]) -> None:
        """From now on it may have bots do this."""
        self._grants = actions
        if self._app is not None:
            self._app.grants = actions

    async def start(self, services: Services, threads: Threads) -> None:
        """Run its startup hooks; it hears nothing yet. Raises whatever they raise, after everything was undone."""
        plugin, self.settings = self.plugin, services.configured(self.plugin.id)
        outbox = Outbox(f"app|{token_hex(8)}", plugin.id, "", services, of_event=False)
        app = App(plugin.id, services, outbox, self._grants, filled(plugin, self.settings))
        self._app, app.migrations = app, plugin.migrations
        self._running = scope = Scope(plugin.id)
        scope.on_close_async(app.close)
        try:
            for function in plugin.shutdown:
                scope.on_close_async(_hook, function, app, threads)
            if plugin.migrations:
                await _migrate(app)
            for function in plugin.startup:
                await _hook(function, app, threads)
            if plugin.history:
                scope.on_close(services.sessions.memory.want())
        except BaseException:
            await scope.close()
            raise
        self.bounds = [
            Bound(app, handler, (self.order, index), self.life) for index, handler in enumerate(plugin.handlers)
        ]
        self.offers = [Offer(app, skill, self.life) for skill in plugin.skills]

    async def configure(self, wanted: Configured, threads: Threads) -> None:
        """Go by these settings, from the next event on; those that do not fit are refused, and the last ones stay."""
        if self._app is None or wanted.version == self.settings.version or not self._has_settings:
            return
        trouble = ""
        try:
            if isinstance(self.plugin, Apart):
                trouble = await self.plugin.given.take(wanted)
            else:
                self._app.config = filled(self.plugin, wanted)
        except SettingsRefused as error:
            self.settings_error = str(error)
            log.warning("plugin %s goes on with the settings it has: %s", self.id, error)
            return
        self.settings, self.settings_error = wanted, trouble
        log.info("plugin %s has new settings, version %d", self.id, wanted.version)
        for function in self.plugin.configured:
            try:
                await _hook(function, self._app, threads)
            except BaseException as error:
                if must_leave(error):
                    raise
                self.settings_error = f"{type(error).__name__} in {function.__name__}"
                log.error("plugin %s could not take its settings over", self.id, exc_info=error)

    def listen(self, table: Table, skills: SkillTable, crons: Crons) -> None:
        """From now on it hears events and the clock, and its skills may be called."""
        self._listening = True
        if isinstance(self.plugin, Apart):
            self.plugin.keeper.on_quarantine = partial(self._quarantine, table)
        if self._app is not None and self.plugin.crons:
            self._crons = crons
            self._running.on_close_async(crons.end)
            crons.start(self._app, self.plugin.crons, self.life)
        self._deaf = [crons.stop, *(table.add(bound) for bound in self.bounds)]
        self._deaf += (skills.add(offer) for offer in self.offers)

    async def tick(self, function: str) -> None:
        """Run now what the clock starts. Raises `KeyError`."""
        if self._crons is None:
            raise KeyError(function)
        await self._crons.now(function)

    def be_deaf(self) -> None:
        """From now on it hears no more; what it heard goes on."""
        self._listening = False
        while self._deaf:
            self._deaf.pop()()

    def _quarantine(self, table: Table) -> None:
        """Events go past it; its skills, and what the clock starts, are left to other workers."""
        if self._listening:
            self.be_deaf()
            self._deaf = [table.put_aside(bound) for bound in self.bounds]

    async def stop(self) -> None:
        """Undo what it runs. Afterwards it could be started again."""
        await self._running.close()
        for module in self.code.modules:
            if left := await leftovers.end_all(module):
                log.warning("plugin %s left something running: %s", self.id, ", ".join(left))

    async def forget(self) -> None:
        """Stop it, and take its modules away."""
        self.be_deaf()
        await self.stop()
        await self.code.close()


async def _migrate(app: App) -> None:
    """Before it serves, if PostgreSQL is there; else when it is used. Raises `BadMigration`."""
    try:
        await app.schema.prepare()
    except EngineUnavailable as error:
        app.log.warning("its tables are brought up to date later: %s", error)


async def _hook(function: Function, app: App, threads: Threads) -> None:
    async with asyncio.timeout(HOOK_TIMEOUT):
        if inspect.iscoroutinefunction(function):
            await function(app)
        else:
            await threads.run(partial(function, app))
