"""What a worker gives to its plugins, given to one in another process: through the protocol."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import msgspec

from botmatrix.bus.cron import CronBox
from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.bus.uses import Refusal, Use, UseBox
from botmatrix.clock import SystemClock
from botmatrix.core.plugin_settings import Configured
from botmatrix.core.plugins import Wish
from botmatrix.errors import EngineUnavailable, SkillFailed
from botmatrix.sdk.address import Address
from botmatrix.sdk.ask import TooManyQuestions
from botmatrix.sdk.plugin import Plugin
from botmatrix.skills.model import SkillAsk
from botmatrix.worker.plugins.isolated.media import RemoteMedia
from botmatrix.worker.plugins.isolated.remote_results import NotHere, Result, result_of
from botmatrix.worker.plugins.isolated.remote_sessions import RemoteSessions
from botmatrix.worker.plugins.isolated.remote_ticks import RemoteTicks
from botmatrix.worker.plugins.isolated.remote_values import RemoteValues


class RemoteSettings:
    """As they came with the last event."""

    def __init__(self) -> None:
        self.command_prefixes: Sequence[str] = ()
        self.chat_admins: list[str] = []
        self.disabled_plugins: Sequence[str] = ()
        self.plugin_grants: Sequence[str] = ()
        self.skill_permissions: Sequence[str] = ()
        self.plugin_dirs: Sequence[Path] = ()

    def learn(self, told: Mapping[str, Any]) -> None:
        """What an event tells of them."""
        self.command_prefixes = told["prefixes"]
        who = f"{told['platform']}:{told['user_id']}"
        if told["chat_admin"] and who not in self.chat_admins:
            self.chat_admins.append(who)
        elif not told["chat_admin"] and who in self.chat_admins:
            self.chat_admins.remove(who)


_CLOSED = "it has closed the pipe"
_current: ContextVar[str] = ContextVar("event", default="")


class RemoteQuestion:
    """A question that is about to leave (`sdk.services.Question`)."""

    def __init__(self, services: RemoteServices, event_id: str, bot: str) -> None:
        self._services, self._event_id, self._bot = services, event_id, bot

    async def answer(self, timeout: float) -> tuple[Envelope, dict[str, Any]] | None:
        """The person's next message; None when none comes in so many seconds."""
        told = await self._services.ask(self._event_id, "question.wait", {"timeout": timeout})
        found = told["data"]
        if found is None:
            return None
        event = found["event"]
        group = event.get("group_id")
        conv = f"group:{group}" if group else f"private:{event.get('user_id')}"
        return Envelope(found["id"], self._bot, conv, "", 0, found["t"], msgspec.Raw(b"{}")), event


class RemoteUses(UseBox):
    """Counted by the worker (`bus.uses.UseBox`)."""

    def __init__(self, services: RemoteServices) -> None:
        self._services = services

    async def count(self, event_id: str, uses: Sequence[Use]) -> Refusal | None:
        """Count a use, once for its event; None when it is within all limits."""
        told = await self._services.ask(event_id, "uses.count", {"uses": uses})
        return None if told["data"] is None else Refusal(*told["data"])


class RemoteServices:
    """Each action is sent as part of the event that it belongs to, and checked by the worker."""

    def __init__(self, say: Callable[[Mapping[str, Any]], None]) -> None:
        self._say = say
        self.worker_id = ""
        self.clock = SystemClock()
        self.settings = RemoteSettings()
        self.sessions = RemoteSessions(self._ask_now)
        self.uses = RemoteUses(self)
        self._ids: dict[str, str] = {}
        self._bots: dict[str, str] = {}
        self._values, self._media = RemoteValues(self.ask_worker), RemoteMedia(self.ask_worker)
        self.ticks = RemoteTicks(self.ask)
        self._configured, self._known = Configured(), asyncio.Event()
        self._closed = False
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Mapping[str, Any]]] = {}

    def begin(self, event_id: str, id: str, told: Mapping[str, Any]) -> None:
        """An event is handled; `id` is its name in the protocol."""
        self._ids[event_id] = id
        _current.set(event_id)
        self._bots[event_id] = f"{told['platform']}:{told['self_id']}"
        self.settings.learn(told)

    def end(self, event_id: str) -> None:
        """It is handled."""
        self._ids.pop(event_id, None)
        self._bots.pop(event_id, None)

    def answered(self, correlation: str, payload: Mapping[str, Any]) -> None:
        """What became of an action."""
        waiter = self._waiting.get(correlation)
        if waiter is not None and not waiter.done():
            waiter.set_result(payload)

    def closed(self) -> None:
        """The worker has closed the pipe: nothing more will be answered."""
        self._closed = True
        self._known.set()
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(EngineUnavailable("the worker", _CLOSED))

    async def asking(self, event_id: str, ask_id: str) -> RemoteQuestion:
        """Before a question leaves. Raises `TooManyQuestions`."""
        told = await self.ask(event_id, "question.open", {})
        if not told["ok"]:
            raise TooManyQuestions
        return RemoteQuestion(self, event_id, self._bots[event_id])

    async def ask(self, event_id: str, action: str, params: Any) -> Mapping[str, Any]:
        """Have the worker do something, and wait for what becomes of it."""
        with self._answer() as (correlation, waiter):
            self._send(event_id, action, params, correlation_id=correlation)
            return await waiter

    async def ask_worker(self, name: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same outside of any event, for what the plugin keeps."""
        with self._answer() as (correlation, waiter):
            self._say({"type": "call", "id": correlation, "name": name, "payload": params})
            return await waiter

    async def _ask_now(self, action: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """For the event that is handled now. Raises `NotHere`."""
        event_id = _current.get()
        if event_id not in self._ids:
            raise NotHere("a session belongs to an event: it is there until the event is handled")
        return await self.ask(event_id, action, params)

    @contextmanager
    def _answer(self) -> Iterator[tuple[str, asyncio.Future[Mapping[str, Any]]]]:
        """A new correlation id, and what is to become of it."""
        if self._closed:
            raise EngineUnavailable("the worker", _CLOSED)
        correlation = f"c{next(self._numbers)}"
        waiter: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = waiter
        try:
            yield correlation, waiter
        finally:
            del self._waiting[correlation]

    def offload(self, segments: Iterable[dict[str, Any]]) -> list[Callable[[], Awaitable[None]]]:
        """Put names in the place of large media; what is given has the worker keep them. Raises `ActionFailed`."""
        return self._media.offload(segments)

    async def keep_media(self, token: str, data: bytes) -> None:
        """Have the worker keep it. Raises `ActionFailed`, `EngineUnavailable`."""
        await self._media.keep(token, data)

    async def database_url(self) -> str:
        """A database belongs to the worker."""
        raise NotHere(
            "ctx.db is not there in a plugin with its own process, which has no address of the database: "
            'use ctx.store, or run it in the worker (without "isolation" in plugin.json)'
        )

    def grants(self, plugin: Plugin, wish: Wish, *, packaged: bool) -> Collection[str]:
        """The worker's broker decides, by `plugin.json`."""
        return ("*",)

    async def speaker(self, there: Address, preferred: str) -> str:
        """The event's own bot: a plugin in a process of its own commands no other; by the clock, any that fits."""
        if not preferred:
            return await self.ticks.speaker(there)
        if preferred.partition(":")[0] != there.platform:
            raise NotHere("a plugin with its own process speaks only through the bot of the event")
        return preferred

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """In a thread: the plugin has a process of its own already."""
        return await asyncio.to_thread(function, *args, **kwargs)

    def resting(self, event_id: str) -> AbstractContextManager[None]:
        """The worker counts what is under way."""
        return nullcontext()

    def apart(self, event_id: str) -> None:
        """Nothing here has another process."""

    @property
    def crons(self) -> CronBox | None:
        """The worker keeps the time, and says when something is to run."""
        return None

    def configure(self, wanted: Mapping[str, Any]) -> Configured:
        """The worker says its settings: once at the start, and whenever they change."""
        self._configured = Configured.model_validate(wanted)
        self._known.set()
        return self._configured

    async def know(self) -> bool:
        """Until the worker has said what the plugin's settings are; False when it has closed the pipe instead."""
        await self._known.wait()
        return not self._closed

    def configured(self, plugin: str) -> Configured:
        """As the worker said last."""
        return self._configured

    async def call(self, entry: ActionEntry) -> Result:
        """Have the worker do it, and wait for what becomes of it."""
        if not entry.eid:
            return await self.ticks.call(entry)
        return result_of(await self.ask(entry.eid, entry.action, entry.params))

    async def call_skill(self, ask: SkillAsk, event_id: str) -> str:
        """Have the worker do it. Raises `SkillFailed`."""
        told = await self.ask(event_id, "call_skill", {"skill": ask.skill, "params": ask.params})
        if not told["ok"]:
            raise SkillFailed(ask.skill, told.get("error") or "it failed")
        return str(told.get("result"))

    async def post(self, entry: ActionEntry) -> None:
        """Have the worker do it."""
        if not entry.eid:
            await self.ticks.post(entry)
            return
        self._send(entry.eid, entry.action, entry.params)

    def values(self) -> RemoteValues:
        """What the plugin keeps for good, in the worker's PostgreSQL."""
        return self._values

    def status(self) -> Mapping[str, Any]:
        """Nothing is known of the worker here."""
        return {}

    def _send(self, event_id: str, action: str, params: Any, **more: str) -> None:
        said = {"type": action, "payload": params, **more}
        self._say({"id": self._ids.get(event_id, event_id), "ok": True, "actions": [said], "more": True})
