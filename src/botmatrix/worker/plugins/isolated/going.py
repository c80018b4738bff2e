"""One message on its way through an isolated plugin: what it answers is done, in order, as far as it is granted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from botmatrix.bus.uses import Use
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.context import Context
from botmatrix.sdk.retry import Retry
from botmatrix.sdk.voice import answer
from botmatrix.worker.plugins.isolated import sessions
from botmatrix.worker.plugins.isolated.broker import Here, Refused
from botmatrix.worker.plugins.isolated.exchange import Pending, PluginError
from botmatrix.worker.plugins.isolated.failures import FAILURES, failure
from botmatrix.worker.plugins.isolated.lines import MOST_ACTIONS, Action, Answer
from botmatrix.worker.plugins.isolated.payload import event_payload
from botmatrix.worker.plugins.isolated.questions import Found, Questions
from botmatrix.worker.plugins.runs import HandlerTimeout

if TYPE_CHECKING:
    from botmatrix.worker.plugins.isolated.plugin import IsolatedPlugin

_ASKING = frozenset({"send_message", "reply", "send_image"})
INTERNAL = frozenset({"question.open", "question.wait", "uses.count"}) | sessions.ACTIONS
"""What the SDK of a Python plugin asks of the worker, beyond the protocol for everybody."""
_RESULTS = frozenset({"skill_result", "skill_response"})
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Going:
    """`result`: what a skill gave back. `depth`: how many skills called one another to get here."""

    def __init__(self, plugin: IsolatedPlugin, ctx: Context, leave: Callable[[], None], depth: int = 0) -> None:
        self._plugin, self._ctx, self._leave, self._depth = plugin, ctx, leave, depth
        numeric = isinstance(ctx.event.get("self_id"), int)
        self._here = Here(ctx.bot, ctx.user_id, ctx.group_id, numeric)
        self._actions = 0
        self.result: Any = None

    async def run(self, pending: Pending) -> None:
        """Until the last answer. Raises `PluginError`, `HandlerTimeout`, `Retry`."""
        questions = Questions(self._plugin.services, self._ctx, pending)
        try:
            while True:
                said = await self._next(pending, questions)
                if said.retry_after and not said.ok:
                    raise Retry(said.retry_after, said.error[:500])
                if not said.ok:
                    raise PluginError(said.error[:500] or "it failed and did not say why", again=not self._plugin.tries)
                await self._do_all(said.actions, questions, last=not said.more)
                if not said.more:
                    return
                if said.actions:
                    await self._ctx.flush()
        finally:
            await questions.close()

    async def _next(self, pending: Pending, questions: Questions) -> Answer:
        heard = self._plugin.exchange.heard
        try:
            return await pending.next(None if questions.waiting else self._plugin.timeout)
        except TimeoutError:
            raise self._late(heard) from None

    def _late(self, heard: int) -> HandlerTimeout:
        plugin = self._plugin
        plugin.figures.timeouts += 1
        if plugin.exchange.heard == heard:
            plugin.keeper.hung(plugin.timeout)
        return HandlerTimeout(f"no answer after {plugin.timeout:g} s")

    async def _do_all(self, actions: list[Action], questions: Questions, *, last: bool) -> None:
        for action in actions:
            self._actions += not (self._plugin.tries and action.type in INTERNAL)
            if self._actions > MOST_ACTIONS:
                self._plugin.figures.refused["more than 100"] += 1
                self._tell(action, failure(Refused(f"more than {MOST_ACTIONS} actions in answer to one event")))
            else:
                await self._do(action, questions, last)

    async def _do(self, action: Action, questions: Questions, last: bool) -> None:
        try:
            data = await self._done(action, questions, last)
        except FAILURES as error:
            if isinstance(error, Refused):
                self._plugin.refused(action, str(error))
            self._tell(action, failure(error))
        else:
            if data is not None:
                self._tell(action, {"ok": True, "error": "", **data})

    async def _done(self, action: Action, questions: Questions, last: bool) -> dict[str, Any] | None:
        """Do it. What to answer; None: nothing, or later."""
        if action.type.startswith("storage."):
            return await self._store(action)
        if action.type == "call_skill":
            return {"result": await self._skill(action)}
        if action.type in _RESULTS or (self._depth and action.type == "reply"):
            self.result = _result(action)
            return None
        if self._plugin.tries and action.type in INTERNAL:
            return await self._internal(action, questions)
        name, params = self._plugin.broker.translated(action, self._here)
        asking = action.type in _ASKING
        if action.correlation_id and not asking:
            return {"data": await self._call(name, params), "retcode": 0}
        if action.correlation_id and not last:
            await self._ask(action, name, params, questions)
        else:
            self._say(name, params)
        return None

    def _say(self, name: str, params: dict[str, Any]) -> None:
        if not self._ctx.bot:
            raise Refused("nobody said this in a chat: there is no bot to do it")
        outbox = self._ctx.outbox
        outbox.buffered.append(outbox.entry(self._ctx.bot, name, _encode(params)))

    async def _call(self, name: str, params: dict[str, Any]) -> Any:
        if not self._ctx.bot:
            raise Refused("nobody said this in a chat: there is no bot to do it")
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
        if target is None and isinstance(skill, str):
            return await self._ctx.call_skill(skill, **_params(params))
        if not isinstance(target, str) or not isinstance(skill, str):
            raise Refused("call_skill needs skill_name, and target_plugin for a skill that no hub knows of")
        return await self._plugin.call_skill(target, skill, params, self._ctx, self._depth + 1)

    # -- questions ----------------------------------------------------------------------------------------

    async def _ask(self, action: Action, name: str, params: dict[str, Any], questions: Questions) -> None:
        await questions.open()
        self._say(name, params)
        await self._ctx.flush()
        self._leave()

        def tell(found: Found) -> None:
            exchange, correlation = self._plugin.exchange, action.correlation_id
            if found is None:
                exchange.tell("response", "ask_timeout", {"ok": False, "error": "timeout"}, correlation)
                return
            envelope, event = found
            payload = event_payload(envelope.bot, event, self._plugin.services, envelope.id, envelope.t / 1000)
            exchange.tell("event", "on_message", payload, correlation)

        questions.wait(action.params.get("timeout"), tell)

    # -- what only the Python SDK asks for ----------------------------------------------------------------

    async def _internal(self, action: Action, questions: Questions) -> dict[str, Any] | None:
        if action.type == "question.open":
            await questions.open()
            await self._ctx.flush()
            return {"data": None}
        if action.type == "uses.count":
            return {"data": await self._uses(action.params.get("uses"))}
        if action.type in sessions.ACTIONS:
            return await self._session(action)

        def tell(found: Found) -> None:
            data = None if found is None else {"id": found[0].id, "t": found[0].t, "event": found[1]}
            self._tell(action, {"ok": True, "error": "", "data": data})

        self._leave()
        questions.wait(action.params.get("timeout"), tell)
        return None

    async def _session(self, action: Action) -> dict[str, Any] | None:
        try:
            return {"data": await sessions.do(action.type, action.params, self._plugin.services.sessions, self._ctx)}
        except EngineUnavailable as error:
            self._tell(action, {"ok": False, "error": error.reason, "retcode": sessions.UNAVAILABLE})
            return None

    async def _uses(self, told: Any) -> Any:
        try:
            uses = msgspec.convert(told, list[Use])
        except msgspec.ValidationError as error:
            raise Refused(f"uses.count: {error}") from None
        if not all(use.name.startswith(f"{self._plugin.id}.") for use in uses):
            raise Refused("uses of another plugin can't be counted")
        return await self._plugin.services.uses.count(self._ctx.trace_id, uses)

    def _tell(self, action: Action, payload: dict[str, Any]) -> None:
        if action.correlation_id:
            self._plugin.exchange.tell("response", f"{action.type}_response", payload, action.correlation_id)


def _params(params: dict[str, Any]) -> dict[str, Any]:
    """What a skill of the hub is called with."""
    for key in ("params", "payload"):
        if isinstance(params.get(key), dict):
            return {name: value for name, value in params[key].items() if isinstance(name, str) and name != "timeout"}
    return {}


def _result(action: Action) -> Any:
    for key in ("result", "text", "message"):
        if key in action.params:
            return action.params[key]
    return action.text
