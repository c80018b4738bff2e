"""Results of skill calls: from the stream, Pub/Sub or a socket, applied once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.skills import ABANDONED_MS, Report, SkillBox
from botmatrix.errors import EngineUnavailable
from botmatrix.skills.model import SkillAnswer, SkillResult, decode_result
from botmatrix.store.executions import Executions, clean
from botmatrix.store.together import rest_after

log = structlog.get_logger("nexus.skills")
HELD = 10_000
"""Results from Pub/Sub and sockets that wait for Redis; more are dropped and counted."""


class Results:
    """All results go through the stream, whichever way they came, so that any nexus may apply them, and one does."""

    def __init__(self, executions: Executions, box: SkillBox, inc: str, counters: Counter[str]) -> None:
        self._executions, self._box, self._inc, self._counters = executions, box, inc, counters
        self._came: asyncio.Queue[bytes] = asyncio.Queue(HELD)
        self._look_at = 0.0
        self.on_ended: Callable[[list[SkillAnswer]], Awaitable[None]] = self._announce
        self.on_declined: Callable[[], None] = lambda: None

    def on_result(self, body: bytes) -> None:
        """A result that came by Pub/Sub or a socket."""
        try:
            self._came.put_nowait(body)
        except asyncio.QueueFull:
            self._counters["skill_results_dropped"] += 1

    async def run_came(self) -> None:
        """Put what came another way on the stream; until cancelled."""
        while True:
            body = await self._came.get()
            while True:
                try:
                    await self._box.report(body)
                    break
                except (EngineUnavailable, ReplyError) as error:
                    log.debug("a result waits for Redis", error=str(error))
                    await asyncio.sleep(0.5)

    async def run(self) -> None:
        """Apply what is on the stream; until cancelled."""
        while True:
            try:
                reports = await self._next()
                if reports:
                    await self._apply_all(reports)
                    await self._box.done(reports)
                await rest_after(len(reports))
            except (EngineUnavailable, ReplyError) as error:
                # What was read stays ours on the stream, and is taken up again as abandoned.
                log.debug("results wait", error=str(error))
                await asyncio.sleep(0.5)

    async def _next(self) -> list[Report]:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + ABANDONED_MS / 1000
            if left := await self._box.abandoned(self._inc):
                self._look_at = 0.0
                return left
        return await self._box.results(self._inc)

    async def _apply_all(self, reports: list[Report]) -> None:
        """Apply them; one that can't be is discarded and counted, and keeps no other from being applied."""
        try:
            await self._apply(reports)
        except (EngineUnavailable, ReplyError):
            raise
        except Exception:
            if len(reports) > 1:
                for one in reports:
                    await self._apply_all([one])
            else:
                log.exception("a skill result can't be applied")
                self._counters["skill_results_unreadable"] += 1

    async def _apply(self, reports: list[Report]) -> None:
        results = [found for one in reports if (found := decode_result(one.payload)) is not None]
        self._counters["skill_results_unreadable"] += len(reports) - len(results)
        changed = await self._executions.apply(results)
        for result, execution in zip(results, changed, strict=True):
            await self._count(result, execution)
        pairs = zip(changed, results, strict=True)
        await self.on_ended([_answer(*pair) for pair in pairs if pair[0] and not pair[1].declined])
        if any(result.declined for result in results):
            self.on_declined()

    async def _announce(self, ended: list[SkillAnswer]) -> None:
        await self._box.ended(ended)

    async def _count(self, result: SkillResult, execution: str) -> None:
        if execution:
            kind = "declined" if result.declined else result.state.value
        else:
            kind = "late" if result.execution and await self._executions.known(result.execution) else "foreign"
            log.warning("a skill result changes nothing", why=kind, worker=result.worker_id[:64])
        self._counters[f"skill_results_{kind}"] += 1


def _answer(execution: str, result: SkillResult) -> SkillAnswer:
    """As PostgreSQL keeps it."""
    worker = clean(result.worker_id[:200])
    return SkillAnswer(execution, result.state.value, clean(result.text), clean(result.error), worker)
