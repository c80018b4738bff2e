"""Who says how much today, and what was blocked last: counted in memory, written once a second."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque

import msgspec
import structlog

from botmatrix.bus.client import ConnectionLost, ReplyError
from botmatrix.bus.core import MOST_BLOCKED, CoreBox
from botmatrix.clock import Clock
from botmatrix.core.text import said
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.bot import Bot
from botmatrix.onebot.event import Event

log = structlog.get_logger("core")
EVERY = 1.0
MOST_NAMES = 10_000
"""Names of one kind that are counted apart on one day; the others are one, `other`."""
OTHER = "other"
TEXT_LENGTH = 80


class Blocked(msgspec.Struct):
    """One blocked message, as it is kept. `t`: ms of unix time."""

    t: int
    bot: str
    user: str
    group: str
    reason: str
    text: str


def day_of(moment: float) -> str:
    """The day (UTC) that figures of this moment belong to."""
    return time.strftime("%Y%m%d", time.gmtime(moment))


class Figures:
    """Counts of messages by user, group and bot, of blocked events by reason. Counter: `core_figures_lost`."""

    def __init__(self, box: CoreBox, clock: Clock) -> None:
        self._box, self._clock = box, clock
        self._users: Counter[tuple[str, str]] = Counter()
        self._groups: Counter[tuple[str, str]] = Counter()
        self._bots: Counter[tuple[str, str]] = Counter()
        self._reasons: Counter[str] = Counter()
        self._blocked: deque[Blocked] = deque(maxlen=MOST_BLOCKED)
        self._known: dict[str, set[str]] = {}
        self._day = ""
        self.counters: Counter[str] = Counter()

    def count(self, bot: Bot, event: Event) -> None:
        """A message was said, blocked or not. Costs three additions."""
        platform = bot.platform
        self._bots[platform, bot.self_id] += 1
        if len(self._users) < MOST_NAMES:
            self._users[platform, event.user_id] += 1
        if event.group_id and len(self._groups) < MOST_NAMES:
            self._groups[platform, event.group_id] += 1

    def blocked(self, bot: Bot, event: Event, reason: str, *, record: bool) -> None:
        """An event was blocked; `record`: show it, with its first words."""
        self._reasons[reason] += 1
        if record and event.post_type == "message":
            text = said(event.raw).text[:TEXT_LENGTH]
            now = int(self._clock.now() * 1000)
            self._blocked.append(Blocked(now, bot.key, event.user_id, event.group_id, reason, text))

    async def run(self) -> None:
        """Write once a second."""
        while True:
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted. While Redis is away it is kept, within bounds."""
        figures, blocked = self._taken(), [msgspec.json.encode(one) for one in self._blocked]
        if not figures and not blocked:
            return
        self._blocked.clear()
        try:
            await self._box.add(self._day, figures, blocked)
        except (ConnectionLost, ReplyError) as error:
            self.counters["core_figures_lost"] += 1
            log.debug("figures are lost", error=str(error))
        except EngineUnavailable:
            self._put_back(figures)

    def _taken(self) -> dict[str, dict[str, int]]:
        day = day_of(self._clock.now())
        if day != self._day:
            self._day, self._known = day, {}
        counts = {"user": self._users, "group": self._groups, "bot": self._bots}
        figures = {kind: self._named(kind, found) for kind, found in counts.items() if found}
        if self._reasons:
            figures["reason"] = dict(self._reasons)
        for taken in counts.values():
            taken.clear()
        self._reasons.clear()
        return figures

    def _named(self, kind: str, counts: Counter[tuple[str, str]]) -> dict[str, int]:
        known = self._known.setdefault(kind, set())
        named: Counter[str] = Counter()
        for (platform, bare), count in counts.items():
            name = f"{platform}:{bare}"
            if name not in known:
                if len(known) >= MOST_NAMES:
                    name = OTHER
                known.add(name)
            named[name] += count
        return dict(named)

    def _put_back(self, figures: dict[str, dict[str, int]]) -> None:
        for kind, counts in (("user", self._users), ("group", self._groups), ("bot", self._bots)):
            for name, count in figures.get(kind, {}).items():
                if name != OTHER:
                    platform, _, bare = name.partition(":")
                    counts[platform, bare] += count
        self._reasons.update(figures.get("reason", {}))
