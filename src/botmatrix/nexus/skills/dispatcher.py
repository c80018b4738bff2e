"""Executions on their way to a worker."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.skills import SkillBox
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.skills.roster import Roster
from botmatrix.nexus.skills.underway import Underway
from botmatrix.skills.choice import choose
from botmatrix.skills.model import SkillCall
from botmatrix.store.executions import Executions, Seen, Sent
from botmatrix.store.together import rest_after

log = structlog.get_logger("nexus.skills")
BATCH = 100
LOOK_SECONDS = 0.5
FORGET_SECONDS = 600.0
SKILL_CALL = "skill_call"


class Dispatcher:
    """Claims executions, chooses a worker for each, and puts the calls on the lanes.

    A nexus that dies in between loses nothing: its claim runs out, and the mark of the attempt keeps the call from
    being put on a lane a second time.
    """

    def __init__(
        self, executions: Executions, box: SkillBox, roster: Roster, underway: Underway, counters: Counter[str]
    ) -> None:
        self._executions, self._box, self._roster = executions, box, roster
        self._underway, self._counters = underway, counters
        self.on_expired: Callable[[list[Seen]], Awaitable[None]] = _nothing
        self.on_actions: Callable[[list[Seen]], Awaitable[None]] = _nothing
        self._soon = asyncio.Event()
        self._expire_at = 0.0
        self._forget_at = time.monotonic() + FORGET_SECONDS

    def nudge(self, _body: bytes = b"") -> None:
        """An execution waits."""
        self._soon.set()

    def find_worker_by_skill(self, skill: str, params: Mapping[str, Any], declined: Collection[str] = ()) -> str:
        """A worker that is alive and reported this skill, each with the same probability; `""`: there is none.

        `worker_id` in the parameters names the only one that may.
        """
        return choose(skill, params, self._roster.workers, declined)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            claimed = 0
            self._soon.clear()
            try:
                claimed = await self.dispatch()
                await self._tidy()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("executions wait", error=str(error))
                await asyncio.sleep(LOOK_SECONDS)
            await rest_after(claimed)
            if claimed < BATCH:
                await self._rest()

    async def dispatch(self) -> int:
        """One round; says how many there were. Raises `EngineUnavailable`."""
        claimed = await self._executions.claim(BATCH)
        if acts := [one for one in claimed if one.action_type != SKILL_CALL]:
            await self.on_actions(acts)
        await self.put([one for one in claimed if one.action_type == SKILL_CALL])
        return len(claimed)

    async def run_told(self) -> None:
        """Put on lanes what control tells of; until cancelled."""
        while True:
            try:
                await self._put([(call, ()) for call in await self._box.told()])
            except (EngineUnavailable, ReplyError) as error:
                log.debug("nothing is told", error=str(error))
                await asyncio.sleep(LOOK_SECONDS)

    async def put(self, claimed: Sequence[Seen]) -> None:
        """Put skill calls that this nexus claimed on lanes. Raises `EngineUnavailable`."""
        await self._put([(one.call, one.declined) for one in claimed])

    async def _put(self, calls: Sequence[tuple[SkillCall, Collection[str]]]) -> None:
        tried = await asyncio.gather(*(self._send(call, declined) for call, declined in calls))
        sent = [one for one in tried if one.worker_id]
        self._underway.put(sent)
        self._counters["skill_calls"] += len(sent)
        if waiting := [one.execution_id for one in tried if not one.worker_id]:
            await self._executions.waiting(waiting)

    async def _send(self, call: SkillCall, declined: Collection[str]) -> Sent:
        """Without a worker there is none that could take it."""
        worker = self.find_worker_by_skill(call.skill, call.params, declined)
        is_sent = worker and await self._box.call(worker, call, call.attempt)
        return Sent(call.execution_id, worker if is_sent else "", call.attempt)

    async def _tidy(self) -> None:
        if time.monotonic() >= self._expire_at:
            self._expire_at = time.monotonic() + LOOK_SECONDS
            await self.on_expired(await self._executions.expire())
            if await self._executions.retry():
                self._soon.set()
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_SECONDS
            while await self._executions.forget():
                pass

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._soon.wait()
        except TimeoutError:
            pass


async def _nothing(_executions: list[Seen]) -> None:
    pass
