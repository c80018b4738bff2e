"""What the clock starts in a process of its own: the worker keeps the time tables and takes turns, the process runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.address import Address
from botmatrix.sdk.app import App
from botmatrix.sdk.cron import Cron
from botmatrix.sdk.voice import answer
from botmatrix.worker.plugins.isolated.broker import ACTION, Refused
from botmatrix.worker.plugins.isolated.exchange import Pending, PluginError
from botmatrix.worker.plugins.isolated.failures import FAILURES, failure
from botmatrix.worker.plugins.isolated.lines import Action, Answer, ToldCron
from botmatrix.worker.plugins.runs import HandlerTimeout

if TYPE_CHECKING:
    from botmatrix.worker.plugins.isolated.plugin import IsolatedPlugin

CRON = "cron_"
"""The messages for it are `cron_FUNCTION`."""
MOST_ACTIONS = 2000
"""What one run may ask for; to say something takes two: who is there, and the message."""
SPARE = 5.0
"""Seconds beyond its own limit, which the process watches itself."""


class _Act(msgspec.Struct):
    """What a bot shall do."""

    bot: Annotated[str, msgspec.Meta(pattern=r"^[!-9;-~]{1,32}:[!-~]{1,128}$")]
    action: Annotated[str, msgspec.Meta(pattern=ACTION)]
    params: dict[str, Any]
    wait: bool = True


class _Where(msgspec.Struct):
    """Where somebody shall speak."""

    address: Address


def made(told: ToldCron, plugin: IsolatedPlugin) -> Cron:
    """The time table as a host takes it. Raises `ValueError` for one that is none."""

    async def tick(app: App) -> None:
        await Tick(plugin, app, told.timeout + SPARE).run(told.name)

    tick.__name__ = told.name
    return Cron(tick, told.expression, told.tz, told.timeout + 2 * SPARE)


class Tick:
    """One run. `app`: its actions have the ids of this run. `timeout`: seconds without a word."""

    def __init__(self, plugin: IsolatedPlugin, app: App, timeout: float) -> None:
        self._plugin, self._app, self._timeout = plugin, app, timeout
        self._actions = 0

    async def run(self, function: str) -> None:
        """Until the process has done it. Raises `PluginError`, `HandlerTimeout`."""
        plugin = self._plugin
        plugin.figures.events += 1
        with plugin.exchange.ask(f"{CRON}{function}", {}, id="cron") as pending:
            while (said := await self._next(pending)).more or not said.ok:
                if not said.ok:
                    raise PluginError(said.error[:500] or "it failed and did not say why")
                for action in said.actions:
                    await self._do(action)

    async def _next(self, pending: Pending) -> Answer:
        plugin, heard = self._plugin, self._plugin.exchange.heard
        try:
            return await pending.next(self._timeout)
        except TimeoutError:
            plugin.figures.timeouts += 1
            if plugin.exchange.heard == heard:
                plugin.keeper.hung(self._timeout)
            raise HandlerTimeout(f"no answer after {self._timeout:g} s") from None

    async def _do(self, action: Action) -> None:
        self._actions += 1
        try:
            if self._actions > MOST_ACTIONS:
                raise Refused(f"more than {MOST_ACTIONS} actions in one run")
            told = {"ok": True, "error": "", "data": await self._done(action)}
        except FAILURES as error:
            if isinstance(error, Refused):
                self._plugin.refused(action, str(error))
            told = failure(error)
        except EngineUnavailable as error:
            told = failure(PluginError(str(error)))
        self._plugin.exchange.tell("response", f"{action.type}_response", told, action.correlation_id)

    async def _done(self, action: Action) -> Any:
        do: dict[str, Callable[[Action], Any]] = {"app.speaker": self._speaker, "app.call": self._act}
        if action.type not in do:
            raise Refused(f"{action.type[:64]} belongs to an event")
        try:
            return await do[action.type](action)
        except msgspec.ValidationError as error:
            raise Refused(f"{action.type}: {error}") from None

    async def _speaker(self, action: Action) -> str:
        self._check("send_msg")
        return await self._plugin.services.speaker(msgspec.convert(action.params, _Where).address, "")

    async def _act(self, action: Action) -> Any:
        wanted, services, outbox = msgspec.convert(action.params, _Act), self._plugin.services, self._app.outbox
        self._check(wanted.action)
        entry = outbox.expiring(outbox.entry(wanted.bot, wanted.action, msgspec.json.encode(wanted.params)))
        if wanted.wait:
            return answer(await services.call(entry), wanted.action)
        return await services.post(entry)

    def _check(self, action: str) -> None:
        if not self._plugin.broker.allows(action):
            raise Refused(f"{action} is not granted")
