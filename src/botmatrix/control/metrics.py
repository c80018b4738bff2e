"""`/metrics`: this process, and what the other parts write about themselves into Redis, for Prometheus."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from botmatrix.bus.presence import Presence, Queue, state_of
from botmatrix.control.auth import client_address, identify
from botmatrix.control.errors import documented
from botmatrix.control.fields import flag
from botmatrix.control.parts import UsedParts
from botmatrix.errors import EngineUnavailable

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_NOT_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_]+")
_NO_MEASURES: Final = ("alive", "pid", "port", "version", "seen")
_PROXY_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-real-ip")

router = APIRouter(tags=["health"])
_process = CollectorRegistry()
ProcessCollector(registry=_process)
PlatformCollector(registry=_process)
GCCollector(registry=_process)


class Snapshot(Collector):
    """The state of the matrix at one moment."""

    def __init__(self) -> None:
        self.up = False
        self.stats: dict[str, int] = {}
        self.nexuses: list[dict[str, str]] = []
        self.workers: list[dict[str, str]] = []
        self.bots: Counter[str] = Counter()
        self.queues: list[Queue] = []
        self.dead = 0

    @classmethod
    async def take(cls, presence: Presence) -> Snapshot:
        """Ask Redis. When it is away, only `botmatrix_redis_up 0` is left."""
        snapshot = cls()
        try:
            async with asyncio.timeout(3):
                await snapshot._fill(presence)
        except (EngineUnavailable, TimeoutError):
            return cls()
        return snapshot

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("botmatrix_redis_up", "Whether Redis answers", float(self.up))
        if not self.up:
            return
        for name, value in sorted(self.stats.items()):
            yield CounterMetricFamily(f"botmatrix_{_name(name)}", f"Counter {name} of the spine", value)
        yield from _queue_metrics(self.queues)
        yield GaugeMetricFamily("botmatrix_dead_letters", "Events that could not be handled", self.dead)
        yield _labelled("botmatrix_bots", "Bots by state", "state", dict(self.bots))
        yield from _hash_metrics("nexus", "inc", self.nexuses)
        yield from _hash_metrics("worker", "id", self.workers)

    async def _fill(self, presence: Presence) -> None:
        self.stats = await presence.stats()
        self.queues = await presence.queues()
        self.dead = await presence.dead_count()
        self.workers = await presence.workers()
        self.nexuses = [one for one in await presence.nexuses() if flag(one["alive"])]
        alive = {one["inc"] for one in self.nexuses}
        self.bots = Counter(state_of(one, alive) for one in await presence.bots())
        self.up = True


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"},
        **documented(401),
    },
)
async def metrics(request: Request, parts: UsedParts) -> Response:
    """For whoever asks from this machine; from elsewhere with the token of a login."""
    if not is_local(request):
        await identify(request, parts)
    return Response(await _text(parts.presence), media_type=TEXT)


def is_local(request: Request) -> bool:
    """Whether the request was made on this machine, as opposed to by a proxy on it for somebody elsewhere."""
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False
    try:
        return ipaddress.ip_address(client_address(request)).is_loopback
    except ValueError:
        return False


async def _text(presence: Presence) -> bytes:
    registry = CollectorRegistry()
    registry.register(await Snapshot.take(presence))
    return generate_latest(_process) + generate_latest(registry)


def _queue_metrics(queues: list[Queue]) -> Iterator[Metric]:
    lengths = {one.lane: one.length for one in queues}
    pending = {one.lane: one.pending for one in queues}
    oldest = {one.lane: one.oldest for one in queues}
    yield _labelled("botmatrix_queue_backlog", "Entries that are not settled", "lane", lengths)
    yield _labelled("botmatrix_queue_pending", "Entries with the owner of the lane", "lane", pending)
    yield _labelled("botmatrix_queue_oldest_seconds", "Age of the oldest entry", "lane", oldest)


def _hash_metrics(kind: str, key: str, parts: list[dict[str, str]]) -> Iterator[Metric]:
    """Every number that the parts of one kind say of themselves."""
    up = {part[key]: 1 for part in parts}
    yield _labelled(f"botmatrix_{kind}_up", f"1 for each {kind} that is alive", kind, up)
    for field in sorted({name for part in parts for name in part} - {key, *_NO_MEASURES}):
        found = {part[key]: number for part in parts if (number := _finite(part.get(field))) is not None}
        if found:
            yield _labelled(f"botmatrix_{kind}_{_name(field)}", f"{field} of each {kind}", kind, found)


def _labelled(name: str, words: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def _finite(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _name(text: str) -> str:
    return _NOT_A_NAME.sub("_", text).strip("_").lower() or "unnamed"
