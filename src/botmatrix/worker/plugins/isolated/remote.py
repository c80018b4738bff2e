"""What a worker gives to its plugins, given to one in another process: through the protocol."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.keys import Keys
from botmatrix.bus.sessions import SessionBox
from botmatrix.clock import SystemClock
from botmatrix.errors import BotMatrixError


class NotHere(BotMatrixError):
    """Something that a plugin in a process of its own does not have."""


class Result(NamedTuple):
    """How an action ended (`sdk.services.ActionResult`)."""

    state: str
    retcode: int = 0
    data: bytes = b"null"
    message: str = ""


class RemoteSettings:
    """As they came with the last event."""

    def __init__(self) -> None:
        self.command_prefixes: Sequence[str] = ()
        self.chat_admins: list[str] = []
        self.disabled_plugins: Sequence[str] = ()
        self.plugin_dirs: Sequence[Path] = ()

    def learn(self, told: Mapping[str, Any]) -> None:
        """What an event tells of them."""
        self.command_prefixes = told["prefixes"]
        who = f"{told['platform']}:{told['user_id']}"
        if told["chat_admin"] and who not in self.chat_admins:
            self.chat_admins.append(who)
        elif not told["chat_admin"] and who in self.chat_admins:
            self.chat_admins.remove(who)


class _NoSessions:
    """Redis belongs to the worker."""

    session_ttl_sec = session_history = 0

    async def call(self, *_: object) -> Any:
        raise NotHere("sessions are not there in a plugin with its own process: keep it in the plugin's memory")

    async def close(self) -> None:
        """Nothing is open."""

    run = call


class RemoteServices:
    """Each action is sent as part of the event that it belongs to, and checked by the worker."""

    def __init__(self, say: Callable[[Mapping[str, Any]], None]) -> None:
        self._say = say
        self.worker_id = ""
        self.clock = SystemClock()
        self.settings = RemoteSettings()
        nothing: Any = _NoSessions()
        self.sessions = SessionBox(nothing, Keys(), lambda: nothing, self.clock)
        self._ids: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Mapping[str, Any]]] = {}

    def begin(self, event_id: str, id: str, told: Mapping[str, Any]) -> None:
        """An event is handled; `id` is its name in the protocol."""
        self._ids[event_id] = id
        self.settings.learn(told)

    def end(self, event_id: str) -> None:
        """It is handled."""
        self._ids.pop(event_id, None)

    def answered(self, correlation: str, payload: Mapping[str, Any]) -> None:
        """What became of an action."""
        waiter = self._waiting.get(correlation)
        if waiter is not None and not waiter.done():
            waiter.set_result(payload)

    async def call(self, entry: ActionEntry) -> Result:
        """Have the worker do it, and wait for what becomes of it."""
        correlation = f"c{next(self._numbers)}"
        waiter: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = waiter
        try:
            self._send(entry, correlation_id=correlation)
            return _result(await waiter)
        finally:
            del self._waiting[correlation]

    async def post(self, entry: ActionEntry) -> None:
        """Have the worker do it."""
        self._send(entry)

    def status(self) -> Mapping[str, Any]:
        """Nothing is known of the worker here."""
        return {}

    def _send(self, entry: ActionEntry, **more: str) -> None:
        action = {"type": entry.action, "payload": entry.params, **more}
        self._say({"id": self._ids.get(entry.eid, entry.eid), "ok": True, "actions": [action], "more": True})


def _result(payload: Mapping[str, Any]) -> Result:
    if payload["ok"]:
        return Result("DONE", 0, msgspec.json.encode(payload.get("data")))
    state = "UNKNOWN" if payload.get("retcode") == 1401 else "FAILED"
    return Result(state, payload.get("retcode") or 1400, b"null", payload.get("error") or "")
