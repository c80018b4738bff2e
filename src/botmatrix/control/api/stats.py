"""Figures of the whole matrix, now and over time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel

from botmatrix.bus.series import DAY, HOUR, WEEK, Resolution
from botmatrix.bus.series import Sample as Taken
from botmatrix.control.auth import VIEWER
from botmatrix.control.errors import protected
from botmatrix.control.parts import UsedParts

router = APIRouter(prefix="/api/stats", tags=["stats"], dependencies=[VIEWER])

RANGES: Final[Mapping[str, Resolution]] = {"1h": HOUR, "24h": DAY, "7d": WEEK}


class Sample(BaseModel):
    """The matrix at one moment; of a coarser step, the means over it.

    `t`: unix seconds. `received` to `sent`: per second (events from bots; of them accepted, blocked, done by a worker,
    given up as dead; actions that bots confirmed). Times in ms. `oldest`: seconds that the oldest event in a queue
    waits. `cpu_percent` (of one core) and `rss` (bytes): of all processes of a kind.
    """

    t: int
    received: float
    accepted: float
    blocked: float
    done: float
    dead: float
    sent: float
    reasons: dict[str, float]
    response_ms: float
    response_p95_ms: float
    queued: float
    oldest: float
    dead_letters: float
    bots_online: float
    bots: float
    workers: float
    nexuses: float
    cpu_percent: dict[str, float]
    rss: dict[str, float]


class Part(BaseModel):
    """One process. `cpu_percent` of one core, `rss` in bytes; of the control process that answers."""

    part: str
    id: str
    host: str
    version: str
    cpu_percent: float
    rss: float


class Statistics(BaseModel):
    """`now` is the newest sample, null when there is none of the last half minute. `step`: seconds between samples."""

    success: Literal[True] = True
    now: Sample | None
    parts: list[Part]
    range: str
    step: int
    series: list[Sample]


@router.get("", responses=protected())
async def statistics(
    parts: UsedParts, range: Annotated[Literal["1h", "24h", "7d"], Query(description="how far back")] = "1h"
) -> Statistics:
    """How the matrix is doing: now, and over an hour, a day or a week."""
    keeper, resolution, now = parts.stats, RANGES[range], time.time()
    newest = await keeper.series.read(HOUR, start=now - 30, end=now + HOUR.step)
    taken = await keeper.series.read(resolution, start=now - resolution.span, end=now + resolution.step)
    return Statistics(
        now=_view(newest[-1]) if newest else None,
        parts=[Part(**dataclasses.asdict(one)) for one in (await keeper.snapshot()).parts],
        range=range,
        step=resolution.step,
        series=[_view(one) for one in taken],
    )


def _view(taken: Taken) -> Sample:
    return Sample(**msgspec.structs.asdict(taken))
