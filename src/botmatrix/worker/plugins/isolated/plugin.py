"""An isolated plugin as the host sees it: an ordinary `Plugin`, whose handlers ask its process."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import re2

from botmatrix.core.grants import grants_of
from botmatrix.core.plugins import Wish
from botmatrix.sdk.app import App
from botmatrix.sdk.context import Context
from botmatrix.sdk.perm import Permission
from botmatrix.sdk.plugin import Plugin
from botmatrix.sdk.services import CommandInfo, Services
from botmatrix.worker.plugins.isolated import python, ticks
from botmatrix.worker.plugins.isolated.broker import Broker
from botmatrix.worker.plugins.isolated.child import Launch
from botmatrix.worker.plugins.isolated.exchange import Exchange, PluginError
from botmatrix.worker.plugins.isolated.figures import Figures, State
from botmatrix.worker.plugins.isolated.gate import Gate
from botmatrix.worker.plugins.isolated.given import Given
from botmatrix.worker.plugins.isolated.going import Going
from botmatrix.worker.plugins.isolated.keeper import Keeper, Pace
from botmatrix.worker.plugins.isolated.keeping import Keeping
from botmatrix.worker.plugins.isolated.lines import Action, Command, Hello
from botmatrix.worker.plugins.isolated.manifest import Intent, Manifest, read_manifest, runs_isolated
from botmatrix.worker.plugins.isolated.payload import event_payload
from botmatrix.worker.plugins.isolated.skills import made
from botmatrix.worker.plugins.isolated.storage import Storage
from botmatrix.worker.plugins.loader import LoadError
from botmatrix.worker.plugins.runs import HandlerTimeout

DEEPEST = 4
"""How many skills may call one another in a row."""
SPARE = 5.0
"""Seconds that a Python plugin gets beyond its handlers' own limits, which it watches itself."""
FOREVER = 3600.0
"""Limit (s) of a handler here; the plugin's own deadline is watched per answer."""


class Apart(Plugin):
    """A plugin with a process of its own, as the host sees it. `given`: its settings; `keeper`: of its process.

    `down`: why that is not there now; empty when it is.
    """

    given: Given
    keeper: Keeper
    down: Callable[[], str]


class Isolation:
    """What the isolated plugins of one worker share.

    Without `storage` they have none; without `envs`, the folder for their environments, they can have no requirements.
    """

    def __init__(
        self, services: Services, storage: Storage | None = None, *, envs: Path | None = None, pace: Pace | None = None
    ) -> None:
        self.services, self.storage, self.pace = services, storage, pace or Pace()
        self._envs = envs
        self.plugins: dict[str, IsolatedPlugin] = {}
        self._wish: Callable[[str], Wish] = lambda _plugin: Wish()

    def grant(self, wish: Callable[[str], Wish]) -> None:
        """From now on they may do what is granted to them there."""
        self._wish = wish
        for plugin in self.plugins.values():
            plugin.broker = self.broker(plugin.manifest, packaged=plugin.packaged)

    def broker(self, manifest: Manifest, *, packaged: bool) -> Broker:
        """What a plugin may do now."""
        setting, wish = self.services.settings.plugin_grants, self._wish(manifest.id)
        return Broker(manifest.wanted, grants_of(manifest.id, wish, setting, packaged=packaged))

    async def make_ready(self, folder: Path) -> None:
        """Make the environment of a plugin, if it needs one that is not there. Raises `LoadError`."""
        if runs_isolated(folder):
            await python.program(read_manifest(folder), folder, self._envs)

    async def load(self, folder: Path, *, packaged: bool = False) -> Plugin:
        """The plugin of a folder with `plugin.json`; it starts with its startup hook. Raises `LoadError`."""
        manifest = read_manifest(folder)
        argv, env = await python.program(manifest, folder, self._envs)
        launch = Launch(manifest.id, argv, folder, manifest.limits, {"BOTMATRIX_PLUGIN": manifest.id, **env})
        isolated = IsolatedPlugin(self, manifest, launch, packaged)
        wanted = manifest.wanted
        plugin = Apart(manifest.id, manifest.name, manifest.version, permissions=wanted)
        plugin.description = manifest.description
        plugin.exclusive = manifest.exclusive
        plugin.is_isolated, plugin.given, plugin.keeper = True, isolated.given, isolated.keeper
        plugin.down = isolated.exchange.down
        plugin.startup.append(partial(isolated.start, plugin))
        plugin.shutdown.append(isolated.stop)
        return plugin

    def commands(self) -> list[CommandInfo]:
        """Commands of those that tell them, and are not in quarantine."""
        heard = [plugin for plugin in self.plugins.values() if plugin.figures.state is not State.QUARANTINED]
        return [command for plugin in heard for command in plugin.commands]

    async def close(self) -> None:
        """End what they share."""
        if self.storage is not None:
            await self.storage.close()


class IsolatedPlugin:
    """One plugin's process, its permissions, and what is under way with it."""

    def __init__(self, isolation: Isolation, manifest: Manifest, launch: Launch, packaged: bool) -> None:
        self._isolation, self.manifest, self.packaged = isolation, manifest, packaged
        self.id, self.timeout = manifest.id, manifest.timeout_ms / 1000
        self.services, self.storage = isolation.services, isolation.storage
        self.tries = python.is_python(manifest)
        """Whether it tries a handler again by itself."""
        self.commands: list[CommandInfo] = []
        self.figures = Figures()
        self.exchange = Exchange(self.figures)
        self.broker = isolation.broker(manifest, packaged=packaged)
        self.keeper = Keeper(
            *(launch, self.exchange, self.figures, isolation.services.clock),
            pace=isolation.pace,
            says_hello=python.is_python(manifest),
        )
        self.given = Given(self.id, self.exchange)
        if self.tries:
            self.keeper.on_start, self.keeper.on_hello = self.given.greet, self.given.told
        self._gate = Gate(manifest.max_concurrency, self.exchange)
        self._keeping = Keeping(self.id, self.services, self.exchange)
        if self.tries:
            self.exchange.on_call = self._keeping.called
        self._forgets: Callable[[], None] = _nothing
        self._log = logging.getLogger(f"botmatrix.plugin.{self.id}")

    async def start(self, plugin: Plugin, app: App) -> None:
        """Start the process and say what makes it run. Raises `LoadError`."""
        self.given.want(self.services.configured(self.id))
        hello = await self.keeper.start()
        if hello is not None:
            self._introduced(plugin, hello)
        plugin.handlers.clear()
        declare(plugin, hello.events if hello else self.manifest.events, self.manifest.intents, self.handle)
        told = hello.skills if hello else self.manifest.skills
        try:
            plugin.skills[:] = [made(one, self.execute, app, self.services) for one in told]
        except ValueError as error:
            raise LoadError(f"a skill of {self.id}: {error}") from None
        try:
            plugin.crons[:] = [ticks.made(one, self) for one in (hello.crons if hello else ())]
        except ValueError as error:
            raise LoadError(f"what the clock starts in {self.id}: {error}") from None
        if hello is None and not (plugin.handlers or plugin.skills):
            self._log.warning('hears nothing: name what it wants in plugin.json, as "events": ["on_message"]')
        self._isolation.plugins[self.id] = self

    def _introduced(self, plugin: Plugin, hello: Hello) -> None:
        if hello.id != self.id:
            raise LoadError(f'plugin.json says "id": "{self.id}", its code says {hello.id!r}')
        plugin.name, plugin.version, plugin.description = hello.name, hello.version, hello.description
        self.timeout = min(hello.timeout, FOREVER) + SPARE
        self.commands = [_listed(self.id, command) for command in hello.commands]
        if hello.history:
            self._forgets = self.services.sessions.memory.want()

    async def stop(self, _app: App) -> None:
        """End the process."""
        if self._isolation.plugins.get(self.id) is self:
            del self._isolation.plugins[self.id]
        await self.keeper.stop()
        await self._keeping.close()
        self._forgets, forgets = _nothing, self._forgets
        forgets()

    async def handle(self, name: str, ctx: Context) -> None:
        """Have the process handle an event. Raises `PluginError`, `HandlerTimeout`."""
        self.figures.events += 1
        await self._ask(name, partial(self._heard, name, ctx), ctx, 0)

    async def execute(self, skill: str, params: Mapping[str, Any], ctx: Context) -> Any:
        """Have the process execute a skill of its own; its result. Raises `PluginError`, `HandlerTimeout`."""
        return await self._ask(f"skill_{skill}", partial(self._called, "", skill, params, ctx), ctx, 1)

    async def call_skill(self, target: str, skill: str, params: Mapping[str, Any], ctx: Context, depth: int) -> Any:
        """Have another plugin do something in the same event; its result. Raises `PluginError`."""
        other = self._isolation.plugins.get(target)
        if other is None or depth > DEEPEST:
            reason = "skills call one another too deep" if other else f"there is no plugin {target[:64]!r} here"
            raise PluginError(reason)
        given = params.get("payload")
        if not isinstance(given, dict):
            given = {key: value for key, value in params.items() if key not in ("plugin_id", "skill")}
        make = partial(self._called, self.id, skill, given, ctx)
        try:
            return await other._ask(f"skill_{skill[:64]}", make, ctx, depth)
        except HandlerTimeout as error:
            raise PluginError(str(error)) from None

    def refused(self, action: Action, reason: str) -> None:
        """Count an action that was not done."""
        name = action.type[:64]
        if len(self.figures.refused) < 100 or name in self.figures.refused:
            self.figures.refused[name] += 1
            if self.figures.refused[name] == 1:
                self._log.warning("refused: %s", reason)

    def _heard(self, name: str, ctx: Context) -> dict[str, Any]:
        payload = event_payload(ctx.bot, ctx.event, self.services, ctx.trace_id, ctx.received_at)
        if name.startswith("intent_"):
            payload |= {"original_text": payload["text"], "intent_name": name.removeprefix("intent_")}
        return payload

    def _called(self, caller: str, skill: str, given: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
        payload = event_payload(ctx.bot, ctx.event, self.services, ctx.trace_id, ctx.received_at)
        return payload | {"caller_id": caller, "skill": skill, "payload": given, "params": given}

    async def _ask(self, name: str, make: Callable[[], Mapping[str, Any]], ctx: Context, depth: int) -> Any:
        """Make the payload and send it when there is a place for it; do what is answered."""
        await self._gate.enter()
        with self._gate.place() as leave:
            going = Going(self, ctx, leave, depth)
            with self.exchange.ask(name, make(), id=ctx.trace_id) as pending:
                await going.run(pending)
            return going.result


Handle = Callable[[str, Context], Awaitable[None]]


def declare(plugin: Plugin, events: Iterable[str], intents: Iterable[Intent], handle: Handle) -> None:
    """Register a handler for each event and intent of a manifest. Raises `LoadError` for an expression."""
    wanted = set(events)
    for name, register in (
        ("on_message", plugin.on_message(timeout=FOREVER)),
        ("on_notice", plugin.on_notice(timeout=FOREVER)),
        ("on_request", plugin.on_request(timeout=FOREVER)),
    ):
        if name in wanted or "*" in wanted:
            register(_handler(name, handle))
    for intent in intents:
        name = f"intent_{intent.name}"
        plugin.on_message(_expression(intent), timeout=FOREVER)(_handler(name, handle))


def _nothing() -> None:
    """No history is read."""


def _listed(plugin: str, command: Command) -> CommandInfo:
    return CommandInfo(
        *(plugin, command.name, command.aliases, command.usage, command.description),
        Permission(command.permission) if command.permission in tuple(Permission) else Permission.OWNER,
    )


def _handler(name: str, handle: Handle) -> Callable[[Context], Awaitable[None]]:
    async def ask(ctx: Context) -> None:
        await handle(name, ctx)

    ask.__name__ = name
    return ask


def _expression(intent: Intent) -> Any:
    """Linear in time, whoever wrote it."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    parts = [re2.escape(word) for word in intent.keywords] + ([f"(?:{intent.regex})"] if intent.regex else [])
    try:
        return cast("Any", re2.compile("|".join(parts) or "$.", options))
    except re2.error as error:
        raise LoadError(f"plugin.json: intent {intent.name}: regex: {error}") from None
