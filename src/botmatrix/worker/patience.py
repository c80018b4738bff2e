"""Waiting for an engine that is away: for as long as it takes, with growing pauses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.errors import EngineUnavailable

T = TypeVar("T")
log = structlog.get_logger("worker")

FIRST, LONGEST = 0.05, 1.0


async def patiently(call: Callable[[], Awaitable[T]], what: str) -> T:
    """The answer of `call`, made again until Redis gives one.

    Only for calls that may be made twice. A refusal by Redis (full memory, read-only disk) counts as being away: it
    ends as soon as somebody helps. The first failure of a series is logged, and its end.
    """
    pause, failed = FIRST, False
    while True:
        try:
            answer = await call()
        except (EngineUnavailable, ReplyError) as error:
            if not failed:
                log.warning("waiting for Redis", what=what, error=str(error))
            failed = True
        else:
            if failed:
                log.info("Redis is back", what=what)
            return answer
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads workers, no secret
        pause = min(pause * 2, LONGEST)
