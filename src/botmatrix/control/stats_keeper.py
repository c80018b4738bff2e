"""Takes a sample of the whole matrix every ten seconds, and makes coarser ones of them.

Every control process does; the moment is the entry's id, so Redis keeps one sample of each.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.presence import Presence, state_of
from botmatrix.bus.series import DAY, HOUR, WEEK, Resolution, Sample, Series, mean
from botmatrix.control.fields import flag, number
from botmatrix.errors import EngineUnavailable
from botmatrix.usage import Usage

_FOLDS: Final = ((DAY, HOUR), (WEEK, DAY))
"""A resolution, and the finer one that it is made of."""
_REASON: Final = "count_blocked_"
_MOST_REASONS: Final = 32

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the matrix. `cpu_percent` of one core; `rss` in bytes."""

    part: str
    id: str
    host: str
    version: str
    cpu_percent: float
    rss: float


@dataclass(slots=True)
class Snapshot:
    """What Redis says now: counters that only grow, and measures."""

    at: float
    nexuses: dict[str, dict[str, str]] = field(default_factory=dict)
    spine: dict[str, int] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)


class StatsKeeper:
    """Samples, and what the parts take now."""

    def __init__(self, presence: Presence, series: Series) -> None:
        self._presence, self.series = presence, series
        self._usage = Usage()
        self._before: Snapshot | None = None

    async def run(self) -> None:
        """A sample at each full ten seconds."""
        while True:
            now = time.time()
            slot = int(now // HOUR.step + 1) * HOUR.step
            await asyncio.sleep(slot - now)
            try:
                await self.tick(slot)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("no sample was taken", reason=str(error))

    async def tick(self, slot: int) -> None:
        """Take the sample of this moment (unix seconds), and the coarser ones that end with it."""
        now, before = await self.snapshot(), self._before
        self._before = now
        if before is not None:
            await self.series.add(HOUR, _sample(slot, before, now))
        for coarse, fine in _FOLDS:
            if slot % coarse.step == 0:
                await self._fold(slot, coarse, fine)

    async def snapshot(self) -> Snapshot:
        """What Redis says now. Raises `EngineUnavailable`."""
        presence, seen = self._presence, Snapshot(time.time())
        nexuses = [one for one in await presence.nexuses() if flag(one["alive"])]
        workers, queues, bots = await presence.workers(), await presence.queues(), await presence.bots()
        alive = {one["inc"] for one in nexuses}
        states = Counter(state_of(one, alive) for one in bots)
        response = [number(one.get("response_ms")) for one in workers if number(one.get("handled"))]
        seen.nexuses = {one["inc"]: one for one in nexuses}
        seen.spine = await presence.stats()
        seen.measures = {
            "bots": len(bots),
            "bots_online": len(bots) - states["offline"],
            "workers": len(workers),
            "nexuses": len(nexuses),
            "queued": sum(one.length for one in queues),
            "oldest": max((one.oldest for one in queues), default=0.0),
            "dead_letters": await presence.dead_count(),
            "response_ms": sum(response) / len(response) if response else 0.0,
            "response_p95_ms": max((number(one.get("response_p95_ms")) for one in workers), default=0.0),
        }
        own = {"id": "control", **self._usage.fields()}
        seen.parts = [
            *(_part("nexus", one["inc"], one) for one in nexuses),
            *(_part("worker", one["id"], one) for one in workers),
            _part("control", "control", own),
        ]
        return seen

    async def _fold(self, slot: int, coarse: Resolution, fine: Resolution) -> None:
        samples = await self.series.read(fine, start=slot - coarse.step, end=slot)
        if samples:
            await self.series.add(coarse, mean(samples, slot))


def _sample(slot: int, before: Snapshot, now: Snapshot) -> Sample:
    seconds = max(now.at - before.at, 0.001)
    counted = _rates(before.nexuses, now.nexuses)
    reasons = {name[len(_REASON) :]: rate for name, rate in counted.items() if name.startswith(_REASON) and rate}
    most = dict(sorted(reasons.items(), key=lambda one: -one[1])[:_MOST_REASONS])
    grown = {name: max(0, value - before.spine.get(name, 0)) / seconds for name, value in now.spine.items()}
    cpu, rss = Counter[str](), Counter[str]()
    for part in now.parts:
        cpu[part.part] += part.cpu_percent  # type: ignore[assignment]
        rss[part.part] += part.rss  # type: ignore[assignment]
    return Sample(
        t=slot,
        received=counted.get("count_received", 0.0),
        accepted=counted.get("count_accepted", 0.0),
        blocked=counted.get("count_blocked", 0.0),
        sent=counted.get("count_action_done", 0.0),
        done=grown.get("done", 0.0),
        dead=grown.get("dead", 0.0),
        reasons=most,
        cpu_percent=dict(cpu),
        rss=dict(rss),
        **now.measures,
    )


def _rates(before: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> dict[str, float]:
    """Per second, all nexuses together; each by its own clock, since they write every five seconds."""
    total: dict[str, float] = {}
    for inc, fields in now.items():
        earlier = before.get(inc, {"seen": fields.get("started", "0")})
        seconds = number(fields.get("seen")) - number(earlier.get("seen"))
        if seconds <= 0:
            continue
        for name, value in fields.items():
            if name.startswith("count_"):
                grown = max(0.0, number(value) - number(earlier.get(name)))
                total[name] = total.get(name, 0.0) + grown / seconds
    return total


def _part(kind: str, name: str, fields: dict[str, str]) -> Part:
    return Part(
        part=kind,
        id=name,
        host=fields.get("host", ""),
        version=fields.get("version", ""),
        cpu_percent=number(fields.get("cpu_percent")),
        rss=number(fields.get("rss")),
    )
