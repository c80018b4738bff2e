"""Actions that leave before their event is acknowledged, and those that REST asks for: once per action id.

States: QUEUED (in the stream) -> SENT (a nexus has read it) -> DONE | FAILED | UNKNOWN (perhaps sent, never sent
again); QUEUED -> EXPIRED (its time passed before it was read).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import ActionEntry, encode
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import ACT
from botmatrix.bus.signals import Signals

log = structlog.get_logger("actions")
ENDED = frozenset({"DONE", "FAILED", "UNKNOWN", "EXPIRED"})
KEEP_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of an action. `data` is the bot's own JSON; `state` is one of the module's states.

    `NOBOT` and `OFFLINE` are states too: nothing was enqueued, because there is no such bot or its link is down.
    """

    state: str
    retcode: int = 0
    message: str = ""
    data: bytes = b"null"


class ActionBox:
    """Enqueue actions and wait for their results. One per process; `inc` is where results are announced."""

    def __init__(self, url: str, keys: Keys, inc: str) -> None:
        self._keys, self.inc = keys, inc
        self._client = Client(url, name=f"botmatrix-actions-{inc}")
        self._signals = Signals(url, name=f"botmatrix-results-{inc}")
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._listening = False

    async def post(self, entry: ActionEntry, *, must_be_online: bool = False) -> str:
        """Enqueue once for its id and do not wait: `NEW`, or the first run's state. Raises `EngineUnavailable`.

        With `must_be_online` also `NOBOT` and `OFFLINE`: nothing was enqueued.
        """
        answer = await self._act(entry, online=must_be_online)
        return str(answer[0].decode())

    async def call(self, entry: ActionEntry, *, timeout: float, must_be_online: bool = False) -> ActionResult:
        """Enqueue once for its id and wait up to `timeout` s for the result (of the first run, if it was run before).

        A result that has not come in time is `QUEUED` or `SENT`. Raises `EngineUnavailable`.
        """
        self._listen()
        entry.reply_to = self.inc
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(entry.aid, []).append(waiter)
        try:
            answer = await self._act(entry, online=must_be_online)
            if answer[0] in (b"NOBOT", b"OFFLINE"):
                return ActionResult(answer[0].decode())
            if answer[0] != b"NEW" and answer[0].decode() in ENDED:
                return _result(answer)
            return await self._wait(entry.aid, waiter, timeout)
        finally:
            self._forget(entry.aid, waiter)

    async def state(self, aid: str) -> ActionResult:
        """State and result as kept (24 h); `GONE` when there is none."""
        fields = await self._client.call("HMGET", self._keys.act(aid), "state", "retcode", "message", "data")
        return _result(fields) if fields[0] else ActionResult("GONE")

    async def close(self) -> None:
        """Stop listening."""
        await self._signals.close()
        await self._client.close()

    async def _act(self, entry: ActionEntry, *, online: bool) -> list[Any]:
        k = self._keys
        keys = [k.act(entry.aid), k.bot(entry.bot), k.orphans]
        answer: list[Any] = await self._client.run(
            ACT, keys, encode(entry), k.prefix, KEEP_SECONDS, "1" if online else "0"
        )
        return answer

    async def _wait(self, aid: str, waiter: asyncio.Future[None], timeout: float) -> ActionResult:
        """The announcement is lossy, so the state is looked up each second as well."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            left = deadline - loop.time()
            await asyncio.wait([waiter], timeout=max(0.0, min(1.0, left)))
            result = await self.state(aid)
            if result.state in ENDED or left <= 0:
                return result

    def _listen(self) -> None:
        if not self._listening:
            self._listening = True
            self._signals.subscribe(self._keys.result(self.inc), self._finished)

    def _finished(self, aid: bytes) -> None:
        for waiter in self._waiters.get(aid.decode(errors="replace"), ()):
            if not waiter.done():
                waiter.set_result(None)

    def _forget(self, aid: str, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiters.get(aid, [])
        waiters.remove(waiter)
        if not waiters:
            self._waiters.pop(aid, None)


def _result(fields: list[Any]) -> ActionResult:
    state, retcode, message, data = fields
    return ActionResult(state.decode(), int(retcode or 0), (message or b"").decode(errors="replace"), data or b"null")
