"""Keeps the tables of bots and groups true: reads what the nexuses write into Redis, writes what changed.

One control process at a time writes; the others find nothing to do in their next round.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.core import CoreBox
from botmatrix.bus.presence import Presence
from botmatrix.control.fields import number
from botmatrix.errors import EngineUnavailable
from botmatrix.store.seen import BATCH, BotFacts, Counted, Said, Seen, Turn
from botmatrix.store.text import line

EVERY: Final = 10.0
"""Seconds between two rounds."""
COARSE: Final = 60
"""Seconds: `last_seen` of a bot that is here is no finer than this."""
_LONGEST: Final = 256
_OTHER: Final = "other"

log = structlog.get_logger(__name__)


class SeenKeeper:
    """Takes over what changed since this process looked last. While an engine is away, nothing is lost but time."""

    def __init__(self, presence: Presence, figures: CoreBox, seen: Seen) -> None:
        self._presence, self._figures, self._seen = presence, figures, seen
        self._written: dict[str, BotFacts] = {}
        self._said: dict[str, int] = {}
        self._alive: set[str] = set()

    async def run(self) -> None:
        """A round every 10 s."""
        while True:
            try:
                await self.round()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("bots that were seen are not written down now", reason=str(error))
            await asyncio.sleep(EVERY)

    async def round(self) -> None:
        """Write what is new. Raises `EngineUnavailable`."""
        self._alive = await self._presence.living_nexuses()
        changed = [name for name, facts in self._facts(await self._presence.bots()) if self._is_news(name, facts)]
        for start in range(0, len(changed), BATCH):
            if not await self._take_over(changed[start : start + BATCH]):
                return
        await self._take_over_groups()

    async def _take_over(self, names: Sequence[str]) -> bool:
        """Write these bots; False when somebody else is writing."""
        async with self._seen.turn() as turn:
            if turn is None:
                return False
            # Read again: whoever wrote last had newer counters than those that this round began with.
            hashes = await self._presence.some_bots(names)
            facts = dict(self._facts(hashes))
            marks = await turn.write_bots(list(facts.values()))
            for fields in hashes:
                known = facts.get(fields["bot"])
                if known and known.mark and known.mark != marks.get((known.platform, known.self_id)):
                    await self._write_list(turn, known)
        self._written |= facts
        return True

    async def _write_list(self, turn: Turn, bot: BotFacts) -> None:
        groups = await self._presence.group_list(f"{bot.platform}:{bot.self_id}")
        known = {line(group, _LONGEST): line(name, _LONGEST) for group, name in groups.items()}
        await turn.write_groups(((bot.platform, group, name) for group, name in known.items()), datetime.now(UTC))
        await turn.write_list(bot.platform, bot.self_id, list(known), bot.mark)

    async def _take_over_groups(self) -> None:
        """Groups that spoke since the last round, whether or not they are in a bot's list."""
        said = await self._figures.counts(time.strftime("%Y%m%d", time.gmtime()), "group")
        spoke = [name for name, count in said.items() if self._said.get(name) != count and name != _OTHER]
        if spoke:
            async with self._seen.turn() as turn:
                if turn is None:
                    return
                pairs = (line(name, _LONGEST).partition(":") for name in spoke)
                await turn.write_groups(((platform, group, "") for platform, _, group in pairs), datetime.now(UTC))
        self._said = said

    def _is_news(self, name: str, facts: BotFacts) -> bool:
        before = self._written.get(name)
        return before is None or before != facts

    def _facts(self, hashes: Sequence[dict[str, str]]) -> Iterator[tuple[str, BotFacts]]:
        for fields in hashes:
            platform, _, self_id = fields["bot"].partition(":")
            if not platform or not self_id or not fields["bot"].isprintable() or len(fields["bot"]) > _LONGEST:
                continue
            counted = {name: max(0, int(number(fields.get(name)))) for name in ("received", "sent", "failed")}
            said = {name: line(fields.get(name, ""), _LONGEST) for name in ("nickname", "user_agent", "remote")}
            yield (
                fields["bot"],
                BotFacts(
                    platform,
                    self_id,
                    nexus=line(fields.get("nexus", ""), _LONGEST),
                    last_seen=self._last_seen(fields),
                    mark=line(fields.get("groups_mark", ""), _LONGEST),
                    said=Said(**said),
                    counted=Counted(**counted),
                ),
            )

    def _last_seen(self, fields: dict[str, str]) -> datetime:
        here = fields.get("state", "offline") != "offline" and fields.get("nexus") in self._alive
        if here:
            return _moment(time.time() // COARSE * COARSE)
        return _moment(max(number(fields.get("since")), number(fields.get("last_event_at"))))


def _moment(seconds: float) -> datetime:
    """A moment that PostgreSQL can store, whatever a hash says."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), 4e9), UTC)
