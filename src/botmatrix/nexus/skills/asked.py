"""Skills called from code, on their way to being executions."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.skill_asks import ABANDONED_MS, AskBox, Asked
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.skills.dispatcher import Dispatcher
from botmatrix.nexus.skills.roster import Roster
from botmatrix.skills.model import OPEN, BadParams, SkillAnswer, SkillAsk, State
from botmatrix.skills.schema import fitted
from botmatrix.store.asked import AskedExecutions
from botmatrix.store.executions import Seen

log = structlog.get_logger("nexus.skills")


class Calls:
    """Takes what plugins ask, many at once: parameters that do not fit are refused, the rest is dispatched.

    What was taken and not finished when a nexus dies is taken by another one; ids keep it from being done twice.
    """

    def __init__(
        self,
        box: AskBox,
        executions: AskedExecutions,
        dispatcher: Dispatcher,
        roster: Roster,
        inc: str,
        counters: Counter[str],
    ) -> None:
        self._box, self._executions, self._dispatcher, self._roster = box, executions, dispatcher, roster
        self._inc, self._counters = inc, counters
        self._look_at = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                asked = await self._next()
                if asked:
                    await self.take([one.ask for one in asked if one.ask is not None])
                    await self._box.done(asked)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("skill calls wait", error=str(error))
                await asyncio.sleep(0.5)

    async def take(self, asks: Sequence[SkillAsk]) -> None:
        """Have them executed. Raises `EngineUnavailable`."""
        fit, refused = [], []
        for ask in asks:
            try:
                fit.append(self._fitted(ask))
            except BadParams as error:
                refused.append(SkillAnswer(ask.execution_id, State.FAILED.value, error=f"parameters: {error}"))
        if fit:
            made, known = await self._executions.make(fit)
            await self._dispatcher.put(made)
            refused += [answer_of(one) for one in known if one.status not in OPEN]
        await self._box.answer(refused)

    def _fitted(self, ask: SkillAsk) -> SkillAsk:
        """With its parameters as the skill wants them. Raises `BadParams`."""
        known = self._roster.find(ask.skill)
        params = fitted(ask.params, known.schema) if known is not None else ask.params
        if "\\u0000" in json.dumps(params):
            raise BadParams("NUL can't be kept")
        return SkillAsk(ask.execution_id, ask.skill, params, ask.deadline, ask.caller)

    async def _next(self) -> list[Asked]:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + ABANDONED_MS / 1000
            if left := await self._box.abandoned(self._inc):
                self._look_at = 0.0
                return left
        return await self._box.asked(self._inc)


def answer_of(seen: Seen) -> SkillAnswer:
    """What came of an execution that has ended."""
    return SkillAnswer(seen.execution_id, seen.status, seen.result, seen.error, seen.worker_id)
