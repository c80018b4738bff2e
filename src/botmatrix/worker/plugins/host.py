"""`Host`: the plugins of one worker, and the way of an event through them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.event_id import is_traced
from botmatrix.core.plugins import Matrix, Wish
from botmatrix.sdk.cron import Cron
from botmatrix.sdk.handler import Handler
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.said import Said, hear
from botmatrix.sdk.services import CommandInfo, Services
from botmatrix.sdk.voice import answer
from botmatrix.skills.permission import SkillPermissions, Speaker
from botmatrix.worker.outcome import Done, Outcome
from botmatrix.worker.plugins import info
from botmatrix.worker.plugins.course import Course
from botmatrix.worker.plugins.exchange import Exchange
from botmatrix.worker.plugins.execution import Executor
from botmatrix.worker.plugins.fuse import Fuse
from botmatrix.worker.plugins.info import PluginInfo
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.registry import Registry
from botmatrix.worker.plugins.runs import Run, Runs
from botmatrix.worker.plugins.skills import SkillTable
from botmatrix.worker.plugins.source import PACKAGED, Source, discover
from botmatrix.worker.plugins.table import Match, Table
from botmatrix.worker.plugins.threads import Threads

log = logging.getLogger(__name__)

_NONE: frozenset[str] = frozenset()
THREADS = 16
"""Handlers written with `def` that may run at once."""


class Host:
    """Runs the plugins whose triggers match an event; what they do wrong stays with them."""

    def __init__(self, services: Services, isolation: Isolation | None = None, fuse: Fuse | None = None) -> None:
        self._services = services
        self._isolation = isolation or Isolation(services)
        self._started = services.clock.monotonic()
        self._handled = 0
        self._table = Table()
        self._threads = Threads(THREADS)
        self._runs = Runs(services.clock)
        self._memory = services.sessions.memory
        self.skills = SkillTable(self._runs, self._threads)
        self._exchange = Exchange(services, self._table, self.skills, self._threads, self._runs)
        fuse = fuse or Fuse(None, services.clock)
        self._registry = Registry(services, self._isolation, self._exchange, fuse)
        self._matrix = Matrix()
        self.packaged: dict[str, Source] = {}
        """The packages that are wanted and here, by the ids of their plugins."""
        self._course = Course(Executor(services, self, self._runs, self._threads), services)

    # -- plugins ------------------------------------------------------------------------------------------

    @property
    def plugins(self) -> list[PluginInfo]:
        """Every plugin that was found, with its state and, if it failed, the error."""
        return self._registry.infos

    @property
    def ids(self) -> list[str]:
        """Ids of the plugins that serve."""
        return self._registry.ids

    def info(self, plugin: str) -> PluginInfo | None:
        """One of the plugins that were found."""
        return self._registry.info(plugin)

    async def load_all(self, sources: Iterable[Source] | None = None) -> None:
        """Load these plugins; by default all that are found in folders, packages and BotMatrix itself."""
        if sources is None:
            found = [*discover(self._services.settings.plugin_dirs), *self.packaged.values()]
            sources = sorted(found, key=lambda source: source.rank)
        for source in sources:
            await self._registry.load(source)

    async def load(self, source: Source) -> PluginInfo:
        """Load one plugin, in the place of the version of it that serves, if there is one.

        Never raises for what the plugin does: the result says how it went.
        """
        return await self._registry.load(source)

    async def unload(self, plugin: str) -> None:
        """Undo everything that a plugin registered. Raises `KeyError` for one that is not loaded."""
        await self._registry.unload(plugin)

    async def reload(self, plugin: str) -> PluginInfo | None:
        """Load the plugin with this id anew; None when there is none. When that fails the old version serves on.

        Somebody wants it: it is tried even if it ended workers while it was loaded.
        """
        source = self._registry.source(plugin)
        if source is None:
            return None
        return await self._registry.load(self._newest(source), by_hand=True)

    async def refresh(self, places: Collection[str]) -> None:
        """Files of plugins at these places came, changed or went: have what is there now."""
        found = {source.place: source for source in discover(self._services.settings.plugin_dirs)}
        for place in places:
            if place in found:
                await self._registry.load(found[place])
            else:
                await self._registry.drop(place)

    async def drop(self, source: Source) -> None:
        """What comes from there is no more."""
        await self._registry.drop(source.place)

    async def fail(self, source: Source, error: str) -> None:
        """Say why something can't even be tried; what serves in its place serves on."""
        await self._registry.fail(source, error)

    async def make_ready(self, folder: Path) -> None:
        """Do ahead what takes long before a plugin is loaded: its environment. Raises `LoadError`."""
        await self._isolation.make_ready(folder)

    def grant(self, wish: Callable[[str], Wish]) -> None:
        """From now on plugins may do what this grants them."""
        self._isolation.grant(wish)
        self._registry.grant(wish)

    def want(self, is_off: Callable[[str, bool], bool]) -> None:
        """From now on, plugins whose id (or the name of whose source) is off are not loaded.

        `is_off` is also told whether BotMatrix brought the plugin along.
        """
        self._registry.is_off = is_off

    def put_matrix(self, matrix: Matrix) -> None:
        """From now on, plugins hear events as this says."""
        self._matrix = matrix

    async def configure(self) -> None:
        """Have every plugin go by the settings that are wanted now."""
        await self._registry.configure()

    async def tick(self, name: str) -> None:
        """Run now what the clock starts, `PLUGIN.FUNCTION`. Raises `KeyError` when there is no such thing."""
        await self._registry.tick(name)

    async def disable(self, plugin: str) -> None:
        """Unload a plugin that stays in the list. Raises `KeyError` for one that is not loaded."""
        await self._registry.disable(plugin)

    def _newest(self, source: Source) -> Source:
        if source.kind == PACKAGED:
            return self.packaged.get(source.name, source)
        found = discover(self._services.settings.plugin_dirs) if source.kind == "file" else ()
        return next((one for one in found if one.place == source.place), source)

    async def close(self) -> None:
        """Unload all plugins, last loaded first."""
        await self._registry.close()
        await self._isolation.close()
        self._threads.close()

    # -- running handlers ---------------------------------------------------------------------------------

    @property
    def running(self) -> set[Run]:
        """The handlers that run now."""
        return self._runs.running

    def expire(self, now: float) -> int:
        """Cancel the handlers past their deadline at `now` (monotonic seconds); says how many there were."""
        return self._runs.expire(now)

    # -- what plugins see of the worker -------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The worker's id."""
        return self._services.worker_id

    @property
    def prefix(self) -> str:
        """What to write before a command."""
        return next(iter(self._services.settings.command_prefixes), "")

    def commands(self) -> list[CommandInfo]:
        """The commands of the plugins that are loaded, by name."""
        found = [info.command(bound) for bound in self._table.bound()] + self._isolation.commands()
        return sorted(command for command in found if command is not None)

    def crons(self) -> list[Cron]:
        """What the clock starts in the plugins that are loaded."""
        return self._registry.crons

    def handlers(self) -> list[Handler]:
        """The handlers of the plugins that are loaded."""
        return [bound.handler for bound in self._table.bound()]

    def status(self) -> Mapping[str, Any]:
        """Uptime in seconds (`uptime`), events handled (`handled`), ids of plugins (`plugins`), and more."""
        uptime = self._services.clock.monotonic() - self._started
        own = {"uptime": uptime, "handled": self._handled, "plugins": self._registry.ids}
        return {**self._services.status(), **own}

    # -- events -------------------------------------------------------------------------------------------

    def serial_key(self, envelope: Envelope, event: Mapping[str, Any]) -> str:
        """What must run strictly one after another: one person's events in one conversation.

        What only handlers take that do not mind stands alone.
        """
        if self._table.free and self._is_free(envelope, event):
            return f"|{envelope.id}"
        return f"{envelope.bot}|{envelope.conv}|{event.get('user_id', '')}"

    def _is_free(self, envelope: Envelope, event: Mapping[str, Any]) -> bool:
        self_id = envelope.bot.partition(":")[2]
        if event.get("post_type") != "message" or str(event.get("user_id")) == self_id:
            return False
        said, prefixes = hear(event, self_id), self._services.settings.command_prefixes
        matches = self._table.message(said, event, prefixes, lambda: True, self._barred(envelope, event))
        return bool(matches) and all(match.bound.handler.concurrency.free for match in matches)

    async def handle(self, envelope: Envelope, event: dict[str, Any]) -> Outcome:
        """Run the handlers that take this event, in order. Raises `CancelledError` only.

        When a handler fails, its plugin's buffered actions are dropped and the outcome is `Dead`, with the
        actions of the other plugins.
        """
        self._handled += 1
        matches = await self._find(envelope, event)
        while self._exchange.holding and await self._exchange.ready(matches):
            matches = await self._find(envelope, event)
        if not matches:
            return Done(quiet=self._quiet(envelope, event) if is_traced(envelope.id) else "")
        for match in matches:
            match.bound.life.enter()
        try:
            return await self._course.run(matches, envelope, event)
        finally:
            for match in matches:
                match.bound.life.leave()

    async def _find(self, envelope: Envelope, event: dict[str, Any]) -> list[Match]:
        matches = self._matches(envelope, event)
        return await self._quoting(envelope, event) if matches is None else matches

    def _matches(self, envelope: Envelope, event: dict[str, Any]) -> list[Match] | None:
        """The handlers that take an event. None: that depends on whose words it quotes."""
        post_type = event.get("post_type")
        if post_type == "message":
            self_id = envelope.bot.partition(":")[2]
            if str(event.get("user_id")) == self_id:
                return []
            said = hear(event, self_id)
            if said.quoted and not said.addressed and self._table.knows(said.head):
                return None
            return self._hearing(said, envelope, event)
        if post_type in ("notice", "request"):
            return self._table.other(post_type, event, self._barred(envelope, event))
        return []

    def _hearing(self, said: Said, envelope: Envelope, event: dict[str, Any]) -> list[Match]:
        settings = self._services.settings
        if self._memory.wanted:
            self._memory.note(envelope, event, said.text)

        def chat_admin() -> bool:
            return f"{envelope.bot.partition(':')[0]}:{event.get('user_id')}" in settings.chat_admins

        barred = self._barred(envelope, event)
        matches = self._table.message(said, event, settings.command_prefixes, chat_admin, barred)
        if envelope.skill and (found := self._meant(envelope.skill, said, envelope, event)):
            if found.bound.app.id not in barred:
                matches = [*matches, found]
        return matches

    def _meant(self, skill: str, said: Said, envelope: Envelope, event: Mapping[str, Any]) -> Match | None:
        """The nexus says that these words mean a skill: whether they do here, and who said it may."""
        settings, (platform, _, self_id) = self._services.settings, envelope.bot.partition(":")
        facts = {"platform": platform, "self_id": self_id}
        facts |= {name: str(event[name]) for name in ("user_id", "group_id", "message_id") if event.get(name)}
        is_commander = f"{platform}:{facts.get('user_id')}" in settings.chat_admins
        kind, sub_type = str(event.get("message_type")), str(event.get("sub_type", ""))
        speaker = Speaker(kind, sub_type, is_commander)
        return self.skills.heard(skill, said, facts, SkillPermissions(settings.skill_permissions), speaker)

    def _barred(self, envelope: Envelope, event: Mapping[str, Any]) -> frozenset[str]:
        """Ids of the plugins that are off here."""
        if not self._matrix:
            return _NONE
        platform, group, user = envelope.bot.partition(":")[0], event.get("group_id"), event.get("user_id")
        return self._matrix.barred(
            envelope.bot, f"{platform}:{group}" if group else "", f"{platform}:{user}" if user else ""
        )

    def _quiet(self, envelope: Envelope, event: dict[str, Any]) -> str:
        """Why no handler takes an event: `own`, `permission`, `plugin_off`, `quarantined`, or `no_match`."""
        self_id, post_type = envelope.bot.partition(":")[2], str(event.get("post_type"))
        if post_type == "message" and str(event.get("user_id")) == self_id:
            return "own"
        barred, aside = self._barred(envelope, event), self._table.aside or Table()

        def is_taken(table: Table, barred: Container[str] = ()) -> bool:
            if post_type != "message":
                return bool(table.other(post_type, event, barred))
            said, prefixes = hear(event, self_id), self._services.settings.command_prefixes
            return bool(table.message(said, event, prefixes, lambda: True, barred))

        if is_taken(self._table, barred):
            return "permission"
        if is_taken(aside, barred):
            return "quarantined"
        return "plugin_off" if is_taken(self._table) or is_taken(aside) else "no_match"

    async def _quoting(self, envelope: Envelope, event: dict[str, Any]) -> list[Match]:
        """A quote does not tell whose words it quotes; asked only where it decides about a command."""
        self_id = envelope.bot.partition(":")[2]
        said = hear(event, self_id)
        said.addressed = await self._author(said.quoted, envelope) == self_id
        said.to_me = said.to_me or said.addressed
        return self._hearing(said, envelope, event)

    async def _author(self, message_id: str, envelope: Envelope) -> str:
        """Who said a message; empty when that can't be found out."""
        outbox = Outbox(envelope.id, "", "quoted", self._services)
        params = msgspec.json.encode({"message_id": _number(message_id)})
        try:
            entry = outbox.expiring(outbox.entry(envelope.bot, "get_msg", params))
            found = answer(await self._services.call(entry), "get_msg")
            return str(found["sender"]["user_id"])
        except Exception as error:
            log.info("quoted message of event %s not found: %s", envelope.id, type(error).__name__)
            return ""


def _number(id: str) -> int | str:
    return int(id) if id.isascii() and id.removeprefix("-").isdecimal() and len(id) < 20 else id
