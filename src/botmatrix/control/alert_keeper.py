"""Looks at the matrix every ten seconds, raises and ends alerts, and has them told.

Of several control processes one at a time raises and ends; whoever comes first tells.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.presence import Presence, state_of
from botmatrix.bus.seen_workers import SeenWorkers
from botmatrix.control.alert_conditions import OfflineBot, Picture, wrong
from botmatrix.control.alert_delivery import Delivery, News, NotTold
from botmatrix.control.fields import number
from botmatrix.errors import EngineUnavailable
from botmatrix.store.alerts import Alerts, Raised
from botmatrix.store.seen import Seen
from botmatrix.store.tables import AlertRule

EVERY: Final = 10.0
MOST_TOLD: Final = 20
"""Pieces of news that one process tells in one round: whoever is told must not be flooded."""

log = structlog.get_logger(__name__)


class AlertKeeper:
    """Rounds over the alert rules."""

    def __init__(
        self, alerts: Alerts, presence: Presence, seen: Seen, workers: SeenWorkers, delivery: Delivery
    ) -> None:
        self._alerts, self._presence, self._seen, self._delivery = alerts, presence, seen, delivery
        self._workers = workers
        self._away_since = 0.0

    async def run(self) -> None:
        """A round every 10 s."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
                await self.tell()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("alerts are not looked after now", reason=str(error))

    async def look(self) -> None:
        """Raise what is wrong, end what is not any more. Raises `EngineUnavailable` when PostgreSQL is away."""
        rules = [rule for rule in await self._alerts.rules() if rule.enabled]
        picture = await self._picture(time.time()) if rules else Picture(time.time())
        async with self._alerts.turn() as turn:
            if turn is None:
                return
            now = datetime.now(UTC)
            for rule in await turn.rules():
                found = wrong(rule, picture) if rule.enabled else {}
                if found is not None:
                    await turn.bring(rule, found, now)
            await turn.forget(now)

    async def tell(self) -> None:
        """Tell what is to be told now."""
        claimed = await self._alerts.claim(MOST_TOLD)
        await asyncio.gather(*(self._tell(one) for one in claimed))

    async def test(self, rule: AlertRule) -> None:
        """Tell a rule's people that this is a test. Raises `NotTold`."""
        news = News(rule.name, rule.kind, rule.subject, "test", "this is a test, nothing is wrong", time.time())
        await self._delivery.tell(rule, news)

    async def _tell(self, raised: Raised) -> None:
        alert, rule = raised
        state, at = ("ended", alert.ended_at) if alert.ended_at else ("raised", alert.started_at)
        news = News(rule.name, rule.kind, alert.subject, state, alert.words, at.timestamp())
        try:
            await self._delivery.tell(rule, news)
        except NotTold as error:
            log.warning("an alert could not be told", rule=rule.name, reason=str(error))
            await self._alerts.told(alert, str(error))
        else:
            await self._alerts.told(alert)

    async def _picture(self, now: float) -> Picture:
        try:
            found = await self._looked(now)
        except (EngineUnavailable, ReplyError):
            self._away_since = self._away_since or now
            return Picture(now, redis_away=max(now - self._away_since, 0.001))
        self._away_since = 0.0
        return found

    async def _looked(self, now: float) -> Picture:
        alive = await self._presence.living_nexuses()
        seen = {f"{row['platform']}:{row['self_id']}": row["last_seen"].timestamp() for row in await self._seen.bots()}
        picture = Picture(now, queued=sum(one.length for one in await self._presence.queues()))
        picture.dead_letters = await self._presence.dead_count()
        for bot in await self._presence.bots():
            if state_of(bot, alive) == "offline":
                last_seen = max(seen.get(bot["bot"], 0.0), number(bot.get("since")))
                since = number(bot.get("since")) if bot.get("state") == "offline" else last_seen
                picture.offline.append(OfflineBot(bot["bot"], since, last_seen))
        workers = await self._presence.workers()
        picture.missed = await self._workers.missed({worker["id"] for worker in workers}, now)
        for worker in workers:
            pool = worker.get("pool", "default")
            picture.workers[pool] = picture.workers.get(pool, 0) + 1
        return picture
