"""Calling skills and looking at what came of it, for REST and the command line.

A call is written to PostgreSQL before anybody is told, so it outlives every process; a nexus sends it to a worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, NamedTuple

from botmatrix.bus.keys import Keys
from botmatrix.bus.presence import Presence
from botmatrix.bus.signals import Signals
from botmatrix.bus.skills import SkillBox, merged, skilled
from botmatrix.control.skill_access import NotPermitted, may_call
from botmatrix.skills.model import OPEN, Capability, SkillAnswer, decode_answers
from botmatrix.skills.permission import SkillPermission, SkillPermissions
from botmatrix.skills.schema import fitted
from botmatrix.store.executions import Executions, Seen, Wanted
from botmatrix.store.tables import Role
from botmatrix.store.together import Together

LOOK_SECONDS = 1.0
"""After which a waiting caller looks itself: the signal that tells of the end may get lost."""
OFFERED_SECONDS = 0.25
"""For how long what workers say of their skills is taken as it was."""


class Caller(NamedTuple):
    """Who calls. `permissions`: what administrators set."""

    name: str
    role: Role
    permissions: SkillPermissions

    def require(self, skill: str, known: Capability | None) -> None:
        """Raises `NotPermitted`. A skill that nobody describes now may turn out to be for owners."""
        permission = self.permissions.of(skill, known.permission if known else SkillPermission.OWNER)
        if not may_call(permission, self.role):
            raise NotPermitted(skill, permission if known or permission is SkillPermission.OFF else None)


class SkillDesk:
    """Every method raises `EngineUnavailable`."""

    def __init__(self, url: str, keys: Keys, executions: Executions, presence: Presence) -> None:
        self._keys, self._executions, self._presence = keys, executions, presence
        self._box = SkillBox(url, keys, name="botmatrix-skill-desk")
        self._signals = Signals(url, name="botmatrix-skill-desk")
        self._telling = Together(self._tell)
        self._waiting: dict[str, asyncio.Queue[SkillAnswer]] = {}
        self._listening = False
        self._offered: dict[str, tuple[Capability, list[str]]] = {}
        self._offered_until = 0.0

    async def skills(self) -> dict[str, tuple[Capability, list[str]]]:
        """Skill -> what it is, and the workers that have it now."""
        return merged(await skilled(self._presence))

    async def require(self, skill: str, caller: Caller) -> Capability | None:
        """What workers say of a skill now, if any has it. Raises `NotPermitted` for who may not call it."""
        known = await self._known(skill)
        caller.require(skill, known)
        return known

    async def _known(self, skill: str) -> Capability | None:
        """What workers say of a skill, or said a moment ago: many calls a second need not ask again each."""
        now = time.monotonic()
        if skill not in self._offered or now > self._offered_until:
            self._offered = await self.skills()
            self._offered_until = now + OFFERED_SECONDS
        found = self._offered.get(skill)
        return found[0] if found else None

    async def make(self, skill: str, params: Mapping[str, Any], caller: Caller, *, limit: float) -> Seen:
        """Write a call down, for `end` to have it executed; it fails `limit` (s) from now.

        A skill that no worker has now is waited for as well. Raises `BadParams`, `NotPermitted`.
        """
        known = await self.require(skill, caller)
        given = fitted(params, known.schema) if known else dict(params)
        self._listen()
        return await self._executions.make(skill, given, limit=limit, creator=caller.name)

    async def end(self, made: Seen, wait: float) -> Seen:
        """Tell a nexus of a call, and wait up to `wait` (s) for its end."""
        async with self._told(made.execution_id) as told:
            await self._telling.ask(made)
            return await self._ended(made, told, wait)

    async def find(self, wanted: Wanted) -> tuple[list[Seen], int]:
        """Executions, newest first, and how many there are in all."""
        return await self._executions.find(wanted)

    async def close(self) -> None:
        """End the connections."""
        await self._signals.close()
        await self._box.close()

    async def _ended(self, made: Seen, told: asyncio.Queue[SkillAnswer], wait: float) -> Seen:
        loop = asyncio.get_running_loop()
        until, seen = loop.time() + wait, made
        while seen.status in OPEN and (left := until - loop.time()) > 0:
            answer = None
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    answer = await told.get()
            if answer is not None and answer.status:
                return _as_told(made, answer)
            seen = await self._executions.look(made.execution_id) or seen
        return seen

    async def _tell(self, made: Sequence[Seen]) -> Sequence[None]:
        await self._box.tell([one.call for one in made])
        return [None] * len(made)

    @asynccontextmanager
    async def _told(self, execution: str) -> AsyncIterator[asyncio.Queue[SkillAnswer]]:
        told = self._waiting[execution] = asyncio.Queue[SkillAnswer]()
        try:
            yield told
        finally:
            del self._waiting[execution]

    def _listen(self) -> None:
        if not self._listening:
            self._signals.subscribe(self._keys.skills_ended, self._on_ended)
            self._listening = True

    def _on_ended(self, body: bytes) -> None:
        for answer in decode_answers(body):
            if told := self._waiting.get(answer.execution_id):
                told.put_nowait(answer)


def _as_told(made: Seen, answer: SkillAnswer) -> Seen:
    return replace(made, status=answer.status, result=answer.result, error=answer.error, worker_id=answer.worker_id)
