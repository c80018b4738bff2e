"""From one version of a plugin to the next while events come: new first, then the switch, then the old one ends.

An event that was matched to a version ends in it. The switch itself takes no pause, so that each event meets either
the old version or the new one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from botmatrix.sdk.raised import must_leave
from botmatrix.sdk.services import Services
from botmatrix.worker.plugins.crons import Crons
from botmatrix.worker.plugins.loader import LoadError
from botmatrix.worker.plugins.runs import Runs
from botmatrix.worker.plugins.skills import SkillTable
from botmatrix.worker.plugins.table import Match, Table
from botmatrix.worker.plugins.threads import Threads
from botmatrix.worker.plugins.version import Version

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds after which a question that an old version asked goes on in the new one."""
HOLD = 30.0
"""Seconds that events may wait for an `exclusive` plugin until its old version has done what it had."""


class Exchange:
    """Starts, switches and ends versions."""

    def __init__(self, services: Services, table: Table, skills: SkillTable, threads: Threads, runs: Runs) -> None:
        self._services, self._table, self._skills = services, table, skills
        self._threads, self._runs = threads, runs
        self._retiring: dict[asyncio.Task[None], Version] = {}
        self.holding = 0
        """How many plugins are exchanged now whose events wait."""

    def draining(self, plugin: str) -> int:
        """How many older versions of a plugin still work on events."""
        return len(self._ending(plugin))

    def _ending(self, plugin: str) -> list[asyncio.Task[None]]:
        return [task for task, version in self._retiring.items() if version.id == plugin]

    async def configure(self, version: Version) -> None:
        """Have it go by the settings that are wanted now."""
        await version.configure(self._services.configured(version.id), self._threads)

    def refuse_unfit(self, version: Version) -> None:
        """Raises `LoadError` when a skill of this version is offered by another plugin."""
        for skill in version.plugin.skills:
            if self._skills.owner(skill.name) not in ("", version.id):
                raise LoadError(f"the skill {skill.name!r} is taken by plugin {self._skills.owner(skill.name)}")

    async def begin(self, version: Version) -> None:
        """Start one that has no predecessor. Raises whatever its startup raises."""
        if version.plugin.exclusive and (ending := self._ending(version.id)):
            await asyncio.wait(ending)
        await version.start(self._services, self._threads)
        version.listen(self._table, self._skills, self._crons())

    async def swap(self, old: Version, new: Version) -> None:
        """Have the new one serve instead. Raises whatever its startup raises: then the old one serves on."""
        if old.plugin.exclusive or new.plugin.exclusive:
            async with self._held(old):
                await self._one_after_the_other(old, new)
                self._switch(old, new)
        else:
            await new.start(self._services, self._threads)
            self._switch(old, new)
        self.retire(old)

    def retire(self, version: Version) -> asyncio.Task[None]:
        """It hears no more; when what it heard has ended, everything of it is undone, and the task ends."""
        version.be_deaf()
        task = asyncio.create_task(self._let_go(version), name=f"retire-{version.id}")
        self._retiring[task] = version
        task.add_done_callback(lambda ended: self._retiring.pop(ended))
        return task

    async def _let_go(self, version: Version) -> None:
        if not await version.life.quiet(PATIENCE):
            self._runs.move(version.life)
            await version.life.quiet()
        await version.forget()

    async def ready(self, matches: list[Match]) -> bool:
        """Wait while one of these plugins is being exchanged; whether that was so."""
        held = [match.bound.life.held for match in matches if match.bound.life.held is not None]
        for event in held:
            await event.wait()
        return bool(held)

    async def close(self) -> None:
        """Until every older version has ended; what still runs in them is not waited for."""
        for version in self._retiring.values():
            version.life.give_up()
        while self._retiring:
            await asyncio.wait(list(self._retiring))

    def _crons(self) -> Crons:
        return Crons(self._services, self._runs, self._threads)

    def _switch(self, old: Version, new: Version) -> None:
        old.be_deaf()
        new.listen(self._table, self._skills, self._crons())

    async def _one_after_the_other(self, old: Version, new: Version) -> None:
        self._runs.move(old.life)
        if not await old.life.quiet(HOLD):
            raise LoadError(f"the version that serves was still busy after {HOLD:g} s, so it was not exchanged")
        await old.stop()
        try:
            await new.start(self._services, self._threads)
        except BaseException:
            await self._again(old)
            raise

    async def _again(self, old: Version) -> None:
        """The new one did not start: the old one serves on."""
        old.be_deaf()
        try:
            await self.begin(old)
        except BaseException as error:
            if must_leave(error):
                raise
            log.error("plugin %s: neither the new version nor the old one starts", old.id, exc_info=error)

    @asynccontextmanager
    async def _held(self, version: Version) -> AsyncIterator[None]:
        """Events for it wait."""
        version.life.held = event = asyncio.Event()
        self.holding += 1
        try:
            yield
        finally:
            self.holding -= 1
            version.life.held = None
            event.set()
