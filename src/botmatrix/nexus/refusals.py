"""The last refused handshakes, for whoever wonders why a client can't get in."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from dataclasses import dataclass
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.handshakes import Handshake, HandshakeBox
from botmatrix.errors import EngineUnavailable

KEPT: Final = 200
KEPT_FOR: Final = 3600.0
EVERY: Final = 1.0

log = structlog.get_logger("refusals")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused upgrade or HTTP request. `at`: unix seconds. `target`: path and query, tokens masked.

    `status`: of HTTP, or the code with which a link was closed later.
    """

    at: float
    remote: str
    target: str
    self_id: str
    user_agent: str
    status: int
    reason: str
    cure: str


class Refusals:
    """At most 200 of them, of the last hour."""

    def __init__(self) -> None:
        self._kept: deque[Refusal] = deque(maxlen=KEPT)
        self._news: deque[Refusal] = deque(maxlen=KEPT)

    def add(self, refusal: Refusal) -> bool:
        """Keep it. False: this address was refused for the same reason within the last minute already."""
        known = any(
            other.remote.rpartition(":")[0] == refusal.remote.rpartition(":")[0]
            and other.reason == refusal.reason
            and refusal.at - other.at < 60
            for other in self._kept
        )
        self._kept.append(refusal)
        self._news.append(refusal)
        return not known

    def recent(self, now: float) -> list[Refusal]:
        """Those of the last hour, the newest first."""
        return [refusal for refusal in reversed(self._kept) if now - refusal.at < KEPT_FOR]

    def news(self) -> list[Refusal]:
        """Those that were not asked for yet, at most the last 200, oldest first."""
        news = list(self._news)
        self._news.clear()
        return news

    def put_back(self, refusals: list[Refusal]) -> None:
        """They could not be told: ask again later."""
        room = KEPT - len(self._news)
        self._news.extendleft(reversed(refusals[max(0, len(refusals) - room) :]))


class RefusalNews:
    """Tells Redis of refused handshakes once a second, so that they are seen wherever one looks."""

    def __init__(self, refusals: Refusals, box: HandshakeBox, inc: str) -> None:
        self._refusals, self._box, self._inc = refusals, box, inc

    async def run(self) -> None:
        """Until cancelled. While Redis is away the last 200 wait."""
        while True:
            await asyncio.sleep(EVERY)
            if news := self._refusals.news():
                try:
                    await self._box.add([Handshake(nexus=self._inc, **dataclasses.asdict(one)) for one in news])
                except (EngineUnavailable, ReplyError) as error:
                    self._refusals.put_back(news)
                    log.debug("refused handshakes are not told", error=str(error))
