"""Actions that this worker asks a bot's HTTP API for itself, because the bot's entry in `bots` lets it (`direct`).

They keep every promise of an action that goes by the nexus: once for an id, the limits of what is sent, a state, a
trace. What a limit may make wait goes by the nexus, where it waits for its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from botmatrix.bus.actions import ActionResult
from botmatrix.bus.client import ReplyError
from botmatrix.bus.direct import DirectBox
from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.event_id import is_traced
from botmatrix.bus.trace_making import acted
from botmatrix.bus.trace_parts import Acted
from botmatrix.clock import Clock
from botmatrix.config import Settings
from botmatrix.config.settings import HttpBot
from botmatrix.errors import EngineUnavailable
from botmatrix.http_api import NO_RESULT, HttpApi
from botmatrix.onebot.serving import NO_ANSWER
from botmatrix.onebot.session import Answer, Session

log = structlog.get_logger("direct")
AT_ONCE: Final = 16
"""Connections to one bot."""
_UNKNOWN: Final = frozenset({NO_RESULT, NO_ANSWER})
"""Retcodes after which the platform may have done it all the same."""


class Direct:
    """The bots that this worker may ask itself. `on_acted` gets the record of each traced action that has ended."""

    def __init__(self, box: DirectBox, worker_id: str, clock: Clock) -> None:
        self._box, self._worker_id, self._clock = box, worker_id, clock
        self._bots: dict[str, HttpBot] = {}
        self._apis: dict[str, HttpApi] = {}
        self._max_size = 0
        self._running: set[asyncio.Task[ActionResult]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self.on_acted: Callable[[Callable[[], Acted], int], None] = lambda _make, _size: None

    def take(self, settings: Settings) -> None:
        """These settings are in force."""
        self._max_size = settings.max_frame
        bots = {bot.key: bot for bot in settings.bots if isinstance(bot, HttpBot) and bot.lets(self._worker_id)}
        for key in [key for key in self._apis if bots.get(key) != self._bots.get(key)]:
            self._close_later(self._apis.pop(key))
        self._bots = bots

    async def call(self, entry: ActionEntry) -> ActionResult | None:
        """Ask the bot, once for the action's id. None: it has to go by the nexus. Raises `EngineUnavailable`."""
        bot = self._bots.get(entry.bot)
        if bot is None:
            return None
        begun = await self._box.begin(entry)
        if begun is None or begun.state != "NEW":
            return begun
        # It goes on when its handler is given up: what became of it is kept all the same.
        task = asyncio.create_task(self._ask(bot, entry), name="direct action")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Let what is under way end."""
        await asyncio.gather(*self._running, return_exceptions=True)
        for api in self._apis.values():
            await api.close()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._box.close()

    async def _ask(self, bot: HttpBot, entry: ActionEntry) -> ActionResult:
        asked = int(self._clock.now() * 1000)
        api = self._apis.get(bot.key) or self._apis.setdefault(bot.key, HttpApi(bot, self._max_size, AT_ONCE))
        result = _result(await api.ask(entry.action, bytes(entry.params), entry.aid))
        try:
            await self._box.end(entry, result)
        except (EngineUnavailable, ReplyError) as error:
            log.warning("the end of a direct action is not kept: it stays SENT", action=entry.action, error=str(error))
        self._report(entry, asked, result)
        return result

    def _report(self, entry: ActionEntry, asked: int, result: ActionResult) -> None:
        if not entry.eid or not (is_traced(entry.eid) or result.state != "DONE"):
            return
        ended = int(self._clock.now() * 1000)
        answer = (result.state, result.retcode, result.message, result.data)
        size = memoryview(entry.params).nbytes
        self.on_acted(partial(acted, b"%d-0" % asked, entry, asked, ended, answer), size)

    def _close_later(self, api: HttpApi) -> None:
        task = asyncio.create_task(api.close(), name="end of a bot's HTTP API")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _result(frame: bytes) -> ActionResult:
    """What became of it, as the nexus would say."""
    answer = Session("", "").receive(frame)
    if not isinstance(answer, Answer):
        return ActionResult("UNKNOWN", NO_RESULT, "the bot's HTTP API gave no OneBot answer")
    response = answer.response
    words = response.message or response.wording
    if response.ok:
        return ActionResult("DONE", response.retcode, words, bytes(response.data))
    if response.retcode in _UNKNOWN:
        return ActionResult("UNKNOWN", response.retcode, words)
    return ActionResult("FAILED", response.retcode, words, bytes(response.data))
