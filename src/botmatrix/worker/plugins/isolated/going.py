"""One message on its way through an isolated plugin: what it answers is done, in order, as far as it is granted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from botmatrix.errors import ActionFailed, ActionUnknown, EngineUnavailable
from botmatrix.sdk.context import Context, answer
from botmatrix.worker.plugins.isolated.asks import Ask, asked
from botmatrix.worker.plugins.isolated.broker import Here, Refused
from botmatrix.worker.plugins.isolated.exchange import Pending, PluginError
from botmatrix.worker.plugins.isolated.lines import MOST_ACTIONS, Action, Answer
from botmatrix.worker.plugins.isolated.payload import event_payload
from botmatrix.worker.plugins.isolated.storage import Full
from botmatrix.worker.plugins.runs import HandlerTimeout

if TYPE_CHECKING:
    from botmatrix.worker.plugins.isolated.plugin import IsolatedPlugin

ASK_SECONDS, LONGEST_ASK = 30.0, 600.0
_ASKING = frozenset({"send_message", "reply", "send_image"})
_RESULTS = frozenset({"skill_result", "skill_response"})
_POKE = Answer("", True, [], "", True)
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Going:
    """`result`: what a skill gave back. `depth`: how many skills called one another to get here."""

    def __init__(self, plugin: IsolatedPlugin, ctx: Context, leave: Callable[[], None], depth: int = 0) -> None:
        self._plugin, self._ctx, self._leave, self._depth = plugin, ctx, leave, depth
        self._whom = asked(ctx.bot, ctx.event)
        numeric = isinstance(ctx.event.get("self_id"), int)
        self._here = Here(ctx.bot, ctx.user_id, ctx.group_id, numeric)
        self._actions = 0
        self._ask: Ask | None = None
        self._ask_id = ""
        self.result: Any = None

    async def run(self, pending: Pending) -> None:
        """Until the last answer. Raises `PluginError`, `HandlerTimeout`."""
        try:
            while True:
                said = await self._next(pending)
                if not said.ok:
                    raise PluginError(said.error[:500] or "it failed and did not say why")
                await self._do_all(said.actions, pending, last=not said.more)
                if not said.more:
                    return
                if said.actions:
                    await self._ctx.flush()
        finally:
            if self._ask is not None:
                self._plugin.asks.close(self._whom, self._ask)

    async def _next(self, pending: Pending) -> Answer:
        heard = self._plugin.exchange.heard
        while True:
            try:
                return await pending.next(self._patience())
            except TimeoutError:
                if self._ask is None:
                    raise self._late(heard) from None
                self._give_up_asking()

    def _patience(self) -> float:
        if self._ask is None:
            return self._plugin.timeout
        return max(0.0, self._ask.deadline - asyncio.get_running_loop().time())

    def _late(self, heard: int) -> HandlerTimeout:
        plugin = self._plugin
        plugin.figures.timeouts += 1
        if plugin.exchange.heard == heard:
            plugin.keeper.hung(plugin.timeout)
        return HandlerTimeout(f"no answer after {plugin.timeout:g} s")

    async def _do_all(self, actions: list[Action], pending: Pending, *, last: bool) -> None:
        for action in actions:
            self._actions += 1
            if self._actions > MOST_ACTIONS:
                self._plugin.figures.refused["more than 100"] += 1
                return
            await self._do(action, pending, last)

    async def _do(self, action: Action, pending: Pending, last: bool) -> None:
        try:
            data = await self._done(action, pending, last)
        except Refused as refusal:
            self._plugin.refused(action, str(refusal))
            self._tell(action, {"ok": False, "error": str(refusal), "retcode": 1403, "data": None})
        except ActionFailed as error:
            self._tell(action, {"ok": False, "error": error.message, "retcode": error.retcode, "data": None})
        except ActionUnknown as error:
            self._tell(action, {"ok": False, "error": str(error), "retcode": 1401, "data": None})
        except (Full, PluginError) as error:
            self._tell(action, {"ok": False, "error": str(error), "retcode": 1400, "data": None, "value": None})
        else:
            if data is not None:
                self._tell(action, {"ok": True, "error": "", **data})

    async def _done(self, action: Action, pending: Pending, last: bool) -> dict[str, Any] | None:
        """Do it. What to answer; None: nothing, or later."""
        if action.type.startswith("storage."):
            return await self._store(action)
        if action.type == "call_skill":
            return {"result": await self._skill(action)}
        if action.type in _RESULTS or (self._depth and action.type == "reply"):
            self.result = _result(action)
            return None
        name, params = self._plugin.broker.translated(action, self._here)
        asking = action.type in _ASKING
        if action.correlation_id and not asking:
            return {"data": await self._call(name, params), "retcode": 0}
        if action.correlation_id and not last:
            self._open(action, pending)
        outbox = self._ctx.outbox
        outbox.buffered.append(outbox.entry(self._ctx.bot, name, _encode(params)))
        return None

    async def _call(self, name: str, params: dict[str, Any]) -> Any:
        outbox = self._ctx.outbox
        entry = outbox.entry(self._ctx.bot, name, _encode(params))
        await self._ctx.flush()
        return answer(await self._plugin.services.call(outbox.expiring(entry)), name)

    async def _store(self, action: Action) -> dict[str, Any]:
        storage = self._plugin.storage
        if storage is None:
            raise PluginError("there is no storage here")
        try:
            verb = action.type.removeprefix("storage.")
            return {"key": action.params.get("key"), "value": await storage.do(verb, self._plugin.id, action.params)}
        except ValueError as error:
            raise Refused(str(error)) from None
        except EngineUnavailable:
            raise PluginError("the storage can't be reached now") from None

    async def _skill(self, action: Action) -> Any:
        if not self._plugin.broker.allows("call_skill"):
            raise Refused("call_skill is not granted")
        params = action.params
        target = params.get("target_plugin") or params.get("plugin_id")
        skill = params.get("skill_name") or params.get("skill")
        if not isinstance(target, str) or not isinstance(skill, str):
            raise Refused("call_skill needs target_plugin and skill_name")
        return await self._plugin.call_skill(target, skill, params, self._ctx, self._depth + 1)

    # -- questions ----------------------------------------------------------------------------------------

    def _open(self, action: Action, pending: Pending) -> None:
        if self._ask is not None:
            raise Refused("this event has a question open already")

        async def deliver(event: dict[str, Any], event_id: str) -> None:
            await self._answered(event, event_id, pending)

        self._ask = self._plugin.asks.open(self._whom, deliver, _seconds(action.params.get("timeout")))
        if self._ask is None:
            raise Refused("too many questions are open, or this person is asked something already")
        self._ask_id = action.correlation_id
        self._leave()

    async def _answered(self, event: dict[str, Any], event_id: str, pending: Pending) -> None:
        """Somebody answered: hand it to the handler that waits in the plugin."""
        exchange, correlation = self._plugin.exchange, self._ask_id
        self._ask = None
        pending.put(_POKE)
        payload = event_payload(self._ctx.bot, event, self._plugin.services.settings, event_id)
        with exchange.ask("on_message", payload, id=event_id, correlation_id=correlation) as acknowledged:
            try:
                said = await acknowledged.next(self._plugin.timeout)
            except TimeoutError:
                return
        await self._do_all(said.actions, acknowledged, last=True)

    def _give_up_asking(self) -> None:
        if self._ask is not None:
            self._plugin.asks.close(self._whom, self._ask)
            self._plugin.exchange.tell("response", "ask_timeout", {"ok": False, "error": "timeout"}, self._ask_id)
            self._ask = None

    def _tell(self, action: Action, payload: dict[str, Any]) -> None:
        if action.correlation_id:
            self._plugin.exchange.tell("response", f"{action.type}_response", payload, action.correlation_id)


def _seconds(value: Any) -> float:
    """How long to wait for an answer: what the plugin said, as far as it makes sense."""
    return min(float(value), LONGEST_ASK) if isinstance(value, int | float) and value > 0 else ASK_SECONDS


def _result(action: Action) -> Any:
    for key in ("result", "text", "message"):
        if key in action.params:
            return action.params[key]
    return action.text
