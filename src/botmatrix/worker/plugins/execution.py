"""One handler, one event: run it, again once when it raises, and say how it ended."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.arguments import UsageError, words
from botmatrix.sdk.ask import AskEnded, Finished
from botmatrix.sdk.context import Context
from botmatrix.sdk.handler import Handler, Trigger
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.raised import must_leave
from botmatrix.sdk.retry import Retry as RetryRequest
from botmatrix.sdk.services import Services, Worker
from botmatrix.worker.outcome import Retry
from botmatrix.worker.plugins.blocked import PluginBlocked
from botmatrix.worker.plugins.gates import Gates
from botmatrix.worker.plugins.isolated.exchange import PluginDown, PluginError
from botmatrix.worker.plugins.limits import Limits
from botmatrix.worker.plugins.runs import HandlerMoved, HandlerTimeout, Runs
from botmatrix.worker.plugins.table import MOST_STALLS, Bound, Match
from botmatrix.worker.plugins.threads import Threads

_ENGINE_AWAY = timedelta(seconds=2)
_AT_ONCE = timedelta(0)


class Failure(NamedTuple):
    """A handler did not get through; `reason` names it and what happened. `again`: a second try may help."""

    reason: str
    again: bool = False


def down(bound: Bound, why: object) -> Failure:
    """The process of its plugin is not there, or does not answer."""
    return Failure(f"plugin_down: {bound.name} {why}"[:200])


Ended: TypeAlias = list[ActionEntry] | Retry | Failure
Arguments: TypeAlias = tuple[list[Any], dict[str, Any]]


class Executor:
    """Runs handlers. Everything a plugin can raise ends here."""

    def __init__(self, services: Services, worker: Worker, runs: Runs, threads: Threads) -> None:
        self._services = services
        self._worker = worker
        self._runs = runs
        self._threads = threads
        self._limits = Limits(services)
        self._gates = Gates(services)

    async def run(self, match: Match, envelope: Envelope, event: dict[str, Any]) -> Ended:
        """The handler's buffered actions, or why there are none. Raises `CancelledError` only."""
        if match.stalled:
            return self._stalled(match.bound, envelope)
        context = self._context(match, envelope, event)
        try:
            arguments = _arguments(match)
        except UsageError as error:
            return self._usage(match.bound.handler, error, context)
        if arguments is None:
            return []
        if match.bound.handler.plain:
            return await self._run(match, envelope, event, context, arguments)
        async with self._gates.passed(match.bound, envelope, context.user_id) as may:
            return await self._run(match, envelope, event, context, arguments) if may else []

    def _stalled(self, bound: Bound, envelope: Envelope) -> Failure:
        more = "" if bound.stalls < MOST_STALLS else "; it is not looked for any more until its plugin is loaded anew"
        said = "the expression of %s blocked the event loop and was interrupted (event %s)%s"
        bound.app.log.error(said, bound.name, envelope.id, more)
        return Failure(f"handler_blocked: {bound.name}")

    async def _run(
        self, match: Match, envelope: Envelope, event: dict[str, Any], context: Context, arguments: Arguments
    ) -> Ended:
        if match.bound.handler.limited and (refused := await self._refused(match.bound, context, envelope)) is not None:
            return refused
        ended = await self._attempt(match, context, arguments)
        if type(ended) is Failure and ended.again:
            ended = await self._attempt(match, self._context(match, envelope, event), arguments)
        return ended

    async def _refused(self, bound: Bound, context: Context, envelope: Envelope) -> Ended | None:
        """Count the use; None when it may be."""
        try:
            refusal = await self._limits.refusal(bound, envelope, context.user_id)
        except EngineUnavailable as error:
            return Retry(_ENGINE_AWAY, f"{error.engine} unavailable")
        if refusal and bound.handler.trigger is Trigger.COMMAND:
            context.reply(refusal)
        return None if refusal is None else context.outbox.buffered

    async def _attempt(self, match: Match, context: Context, arguments: Arguments) -> Ended:
        bound = match.bound
        try:
            return await self._answer(bound, context, arguments)
        except RetryRequest as request:
            return Retry(request.after, request.reason or bound.name)
        except EngineUnavailable as error:
            return Retry(_ENGINE_AWAY, f"{error.engine} unavailable")
        except HandlerMoved:
            return Retry(_AT_ONCE, f"{bound.name}: a newer version of its plugin goes on")
        except HandlerTimeout as error:
            bound.app.log.error("%s: %s (event %s)", bound.name, error, context.trace_id)
            return Failure(f"handler_timeout: {bound.name}")
        except PluginDown as error:
            return down(bound, error)
        except PluginError as error:
            bound.app.log.error("%s failed: %s (event %s)", bound.name, error, context.trace_id)
            return Failure(f"handler_error: {bound.name} {error}"[:200], again=error.again)
        except PluginBlocked as error:
            said = "%s blocked the event loop and was interrupted (event %s)"
            bound.app.log.error(said, bound.name, context.trace_id, exc_info=error)
            return Failure(f"handler_blocked: {bound.name}")
        except BaseException as error:
            if must_leave(error):
                raise
            kind = type(error).__name__
            bound.app.log.error("%s raised %s (event %s)", bound.name, kind, context.trace_id, exc_info=error)
            return Failure(f"handler_error: {bound.name} {kind}", again=True)

    async def _answer(self, bound: Bound, context: Context, arguments: Arguments) -> list[ActionEntry]:
        handler = bound.handler
        try:
            work = self._start(handler, context, arguments)
            reply = await self._runs.watch(bound, work)
        except AskEnded as ended:
            reply = ended.said
        except Finished:
            reply = None
        if reply:
            context.reply(reply)
        if context.outbox.unready:
            await context.outbox.ready()
        return context.outbox.buffered

    def _start(self, handler: Handler, context: Context, arguments: Arguments) -> Awaitable[Any]:
        positional, options = arguments
        if handler.is_async:
            work: Awaitable[Any] = handler.function(context, *positional, **options)
            return work
        return self._threads.run(partial(handler.function, context, *positional, **options))

    def _context(self, match: Match, envelope: Envelope, event: dict[str, Any]) -> Context:
        app = match.bound.app
        outbox = Outbox(envelope.id, app.id, match.bound.handler.name, self._services)
        free = match.bound.handler.concurrency.free
        return Context(envelope, event, app, outbox, self._services, self._worker, match.said, match.rest, free=free)

    def _usage(self, handler: Handler, error: UsageError, context: Context) -> list[ActionEntry]:
        context.reply(f"{error.chinese}\n{error.english}\n用法 Usage: {self._worker.prefix}{handler.usage}")
        return context.outbox.buffered


def _arguments(match: Match) -> Arguments | None:
    """What the handler is called with. None: a regex found something that does not fit its types."""
    handler = match.bound.handler
    if handler.arguments.none:
        return [], {}
    if handler.trigger is Trigger.COMMAND:
        return handler.arguments.bind(words(match.args))
    try:
        return [], handler.arguments.groups(match.groups or {})
    except UsageError:
        return None
