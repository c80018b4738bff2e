"""What the clock starts in a plugin's own process: there is no event, so it says which bot shall act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botmatrix.bus.envelope import ActionEntry
from botmatrix.sdk.address import Address
from botmatrix.sdk.voice import answer
from botmatrix.worker.plugins.isolated.remote_results import NotHere, Result, result_of

Ask = Callable[[str, str, Any], Awaitable[Mapping[str, Any]]]

_current: ContextVar[str] = ContextVar("tick", default="")


class RemoteTicks:
    """`ask` has the worker do something within what runs under a name of the protocol, and gives its answer."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._running: set[str] = set()

    @contextmanager
    def running(self, id: str) -> Iterator[None]:
        """In this block runs what the worker started under this name."""
        self._running.add(id)
        token = _current.set(id)
        try:
            yield
        finally:
            _current.reset(token)
            self._running.discard(id)

    async def speaker(self, there: Address) -> str:
        """The bot that can speak there. Raises `ActionFailed`, `NotHere`."""
        told = await self._ask(_here(self._running), "app.speaker", {"address": there})
        return str(answer(result_of(told), "send_msg"))

    async def call(self, entry: ActionEntry) -> Result:
        """Have a bot do it, and wait for what becomes of it. Raises `NotHere`."""
        return await self._act(entry, wait=True)

    async def post(self, entry: ActionEntry) -> None:
        """Have a bot do it. Raises `ActionFailed` for what is not granted, `NotHere`."""
        answer(await self._act(entry, wait=False), entry.action)

    async def _act(self, entry: ActionEntry, *, wait: bool) -> Result:
        act = {"bot": entry.bot, "action": entry.action, "params": entry.params, "wait": wait}
        return result_of(await self._ask(_here(self._running), "app.call", act))


def _here(running: set[str]) -> str:
    id = _current.get()
    if id not in running:
        raise NotHere("in a process of its own a plugin acts while it handles an event, or what the clock started")
    return id
