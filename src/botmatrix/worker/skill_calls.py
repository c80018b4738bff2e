"""`ctx.call_skill` at a worker: another slot works meanwhile, so that calls can't wait for one another."""

from __future__ import annotations

from botmatrix.bus.skill_asks import SkillCaller
from botmatrix.clock import Clock
from botmatrix.errors import SkillFailed
from botmatrix.skills.model import SkillAsk, State
from botmatrix.worker.loans import Loans

SPARE = 5.0
"""Seconds for which an answer is waited for after the time limit of the execution itself."""


class SkillCalls:
    """Calls skills for plugins."""

    def __init__(self, caller: SkillCaller, loans: Loans, clock: Clock) -> None:
        self._caller, self._loans, self._clock = caller, loans, clock

    async def call(self, ask: SkillAsk, event_id: str) -> str:
        """Have a skill executed; its result. Raises `SkillFailed`, `EngineUnavailable`."""
        left = ask.deadline - self._clock.now() + SPARE
        with self._loans.lent(event_id):
            answer = await self._caller.call(ask, left)
        if answer is None:
            raise SkillFailed(ask.skill, "no answer came: is the skill system of a nexus on?")
        if answer.status != State.SUCCESS:
            raise SkillFailed(ask.skill, answer.error or answer.result or answer.status)
        return answer.result

    async def close(self) -> None:
        """End the connections."""
        await self._caller.close()
