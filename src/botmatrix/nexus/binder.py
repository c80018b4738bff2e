"""`/bind CODE`, said to a bot in private: makes who says it a user of the console, in the eyes of the hub.

It is the hub's only while a code is outstanding, which every nexus knows before it is asked: nothing has to wait for
Redis to find out whose message it is. At any other time other applications may use the word.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import structlog

from botmatrix.bus.binding import BindBox
from botmatrix.bus.client import ReplyError
from botmatrix.bus.nudge import Nudge
from botmatrix.clock import Clock
from botmatrix.core import verbs
from botmatrix.core.text import said
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.core_answers import Answers
from botmatrix.onebot.event import Event

log = structlog.get_logger("binding")
EVERY: Final = 2.0
"""Seconds between two looks, in case that a signal was lost."""
MOST_WAITING: Final = 100

_BOUND: Final = (
    "绑定成功。 You are bound to your console user; an administrator commands the hub from here in a second."
)
_VOID: Final = "绑定码错误，已作废，请重新生成。 That code is wrong, and the right one is void now: make a new one."
_NONE: Final = "绑定码已失效，请重新生成。 No code is valid any more: make a new one."
_AWAY: Final = "Redis 暂时不可用，请稍后再试。 Redis is away: nothing was changed, please try again."


class Binder:
    """Knows whether a code is outstanding, and tries what is said. Counter: `bind_left_out`."""

    def __init__(self, box: BindBox, answers: Answers, clock: Clock) -> None:
        self._box, self._answers, self._clock = box, answers, clock
        self._until = 0.0
        self.nudge = Nudge(EVERY)
        self._waiting: asyncio.Queue[tuple[Bot, Event]] = asyncio.Queue(MOST_WAITING)
        self.counters: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether a code is outstanding, as far as this nexus knows: right to a second, mostly to a blink."""
        return self._until > 0 and self._clock.monotonic() < self._until

    def takes(self, bot: Bot, event: Event) -> bool:
        """Whether this message is the hub's; then its code is tried soon. Ask only while `is_open`."""
        if event.detail_type != "private" or not event.user_id or not verbs.is_bind(said(event.raw).text):
            return False  # who has no id would be everybody without one
        try:
            self._waiting.put_nowait((bot, event))
        except asyncio.QueueFull:
            self.counters["bind_left_out"] += 1
        return True

    async def follow(self) -> None:
        """Look when nudged, and every 2 s."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("whether a code is outstanding is unknown", error=str(error))
            await self.nudge.wait()

    async def look(self) -> None:
        """Learn how long a code will be outstanding. Raises `EngineUnavailable`, `ReplyError`."""
        seconds = await self._box.outstanding()
        self._until = self._clock.monotonic() + seconds if seconds else 0.0

    async def run(self) -> None:
        """Try one code after another, in the order in which they were said."""
        while True:
            bot, event = await self._waiting.get()
            try:
                words = await self._try(bot, event)
            except (EngineUnavailable, ReplyError) as error:
                log.warning("a code could not be tried", error=str(error))
                words = _AWAY
            self._answers.say(bot, event, words)

    async def _try(self, bot: Bot, event: Event) -> str:
        identity = f"{bot.platform}:{event.user_id}"
        tried = await self._box.say(verbs.bind_code(said(event.raw).text), identity)
        await self.look()
        if tried.bound:
            log.info("somebody said a right code", who=identity, bot=bot.key)
            return _BOUND
        log.warning("somebody said a wrong code", who=identity, bot=bot.key, left=tried.left)
        if tried.left > 0:
            return f"绑定码错误，还可尝试 {tried.left} 次。 That code is wrong; tries left: {tried.left}"
        return _VOID if tried.left == 0 else _NONE
