"""Skill calls at a worker: executed where the skill system is on, declined where it is off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from botmatrix.clock import Clock
from botmatrix.sdk.raised import must_leave
from botmatrix.skills.model import DECLINED, OWN_PARAMS, BadParams, Capability, SkillCall, State, answer
from botmatrix.skills.permission import SkillPermission, SkillPermissions
from botmatrix.worker.plugins.blocked import PluginBlocked
from botmatrix.worker.plugins.runs import HandlerTimeout
from botmatrix.worker.plugins.skills import NoSkill

log = structlog.get_logger("worker.skills")
LARGEST = 256 << 10
"""Bytes of one result."""


class Skills(Protocol):
    """What the worker needs of its plugins' skills."""

    def capabilities(self) -> list[Capability]: ...

    def is_apart(self, name: str) -> bool: ...

    def permission(self, name: str, permissions: SkillPermissions) -> SkillPermission: ...

    async def run(self, name: str, params: Mapping[str, Any], limit: float) -> Any: ...


class Calls(Protocol):
    """Answers skill calls."""

    async def answer(self, call: SkillCall) -> bytes:
        """The result of a call, JSON; never raises but `CancelledError` when the worker ends."""
        ...

    def is_apart(self, call: SkillCall) -> bool:
        """Whether another process executes it."""
        ...


class Declining:
    """The skill system is off: no call is executed, and whoever called is told, so that another worker may."""

    def __init__(self, worker_id: str, clock: Clock) -> None:
        self._id, self._clock = worker_id, clock

    async def answer(self, call: SkillCall) -> bytes:
        """Declined, whatever it is."""
        log.info(
            "skill system is disabled, a skill_call is declined", skill=call.skill[:64], execution=call.execution_id
        )
        return answer(call, self._id, DECLINED, self._clock.now(), error="the skill system is off on this worker")

    def is_apart(self, _call: SkillCall) -> bool:
        """It is declined at once."""
        return False


class Executing:
    """The skill system is on: the plugins' skills are executed, each within its time limit.

    `permitted`: the setting `skill_permissions`, as it is now. Who called was looked at where the call came in; what is
    off is not executed, whoever called.
    """

    def __init__(
        self, worker_id: str, skills: Skills, clock: Clock, permitted: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._id, self._skills, self._clock, self._permitted = worker_id, skills, clock, permitted

    async def answer(self, call: SkillCall) -> bytes:
        """Success or failed; declined when no plugin here has this skill (any more)."""
        left = call.deadline - self._clock.now() if call.deadline else math.inf
        if left <= 0:
            return self._said(call, State.FAILED, error="its time limit had passed before it could start")
        if self._skills.permission(call.skill, SkillPermissions(self._permitted())) is SkillPermission.OFF:
            return self._said(call, State.FAILED, error="this skill is switched off")
        try:
            found = await self._skills.run(call.skill, _own(call.params), left)
            return self._success(call, found)
        except NoSkill:
            return self._said(call, DECLINED, error="this worker has no such skill")
        except BadParams as error:
            return self._said(call, State.FAILED, error=f"parameters: {error}"[:500])
        except HandlerTimeout as error:
            return self._said(call, State.FAILED, error=str(error))
        except PluginBlocked:
            return self._said(call, State.FAILED, error="it blocked the event loop and was interrupted")
        except BaseException as error:
            if must_leave(error):
                raise
            log.error("a skill failed", skill=call.skill, execution=call.execution_id, exc_info=error)
            return self._said(call, State.FAILED, error=f"{type(error).__name__}: {error}"[:500])

    def is_apart(self, call: SkillCall) -> bool:
        """Whether another process executes it."""
        return self._skills.is_apart(call.skill)

    def _success(self, call: SkillCall, found: Any) -> bytes:
        text = found if isinstance(found, str) else _json(found)
        if len(text.encode(errors="surrogatepass")) > LARGEST:
            return self._said(call, State.FAILED, error=f"the result is larger than {LARGEST >> 10} KiB")
        return self._said(call, State.SUCCESS, result=text)

    def _said(self, call: SkillCall, status: str, *, result: str = "", error: str = "") -> bytes:
        return answer(call, self._id, status, self._clock.now(), result=result, error=error)


def _own(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in OWN_PARAMS}


def _json(value: Any) -> str:
    return "" if value is None else msgspec.json.encode(value, enc_hook=str).decode()
