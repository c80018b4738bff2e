"""What bots do for tasks: an action is sent once for each try, and what becomes of it is the end of the try."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from botmatrix.bus.actions import ENDED, ActionBox, ActionResult
from botmatrix.bus.client import ReplyError
from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.skills import SkillBox
from botmatrix.errors import EngineUnavailable
from botmatrix.skills.model import SkillAnswer
from botmatrix.store.attempts import LOOK_SECONDS, Attempts, End
from botmatrix.store.executions import Executions, Seen, Sent
from botmatrix.tasks.actions import request
from botmatrix.tasks.model import ActionType, BadTask

log = structlog.get_logger("nexus.tasks")
BATCH: Final = 200
PATIENCE: Final = 3700.0
"""Seconds behind its time limit for which an action may still be under way: a message may wait its turn for an hour."""


class Acts:
    """Executions that are done by bots.

    A message of which nobody knows whether it was sent is not sent again; what can be done twice without harm is.
    """

    def __init__(self, actions: ActionBox, executions: Executions, attempts: Attempts, box: SkillBox) -> None:
        self._actions, self._executions, self._attempts, self._box = actions, executions, attempts, box
        self._told: set[str] = set()
        self._soon = asyncio.Event()

    def on_done(self, action_id: bytes) -> None:
        """An action of this process has its result."""
        execution, _, _ = action_id.decode(errors="replace").rpartition(".")
        self._told.add(execution)
        self._soon.set()

    async def begin(self, claimed: Sequence[Seen]) -> None:
        """Send the actions of these executions. Raises `EngineUnavailable`."""
        ends = await asyncio.gather(*map(self._send, claimed))
        sent = [Sent(one.execution_id, "", one.attempt) for one, end in zip(claimed, ends, strict=True) if end is None]
        if sent:
            await self._executions.running(sent)
        await self._end([end for end in ends if end is not None])

    async def run(self) -> None:
        """Look after what runs; until cancelled."""
        while True:
            self._soon.clear()
            told, self._told = self._told, set()
            try:
                full = await self.look(told)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("actions of tasks wait", error=str(error))
                full = False
            if not full:
                await self._rest()

    async def look(self, told: set[str]) -> bool:
        """One round; says whether there may be more to do at once. Raises `EngineUnavailable`."""
        watched = await self._attempts.watched(BATCH, told)
        results = await asyncio.gather(*(self._actions.state(_action_id(one)) for one in watched))
        ends = [end for one, result in zip(watched, results, strict=True) if (end := _end_of(one, result))]
        await self._end(ends)
        return len(ends) >= BATCH

    async def _send(self, one: Seen) -> End | None:
        """None: it is under way, or was before."""
        try:
            action, params = request(ActionType(one.action_type), one.params)
        except (BadTask, ValueError, KeyError) as error:
            return _failed(one, str(error), again=False)
        bot = str(one.params.get("bot_id", ""))
        entry = ActionEntry(
            bot=bot,
            aid=_action_id(one),
            action=action,
            params=msgspec.Raw(json.dumps(params).encode()),
            exp=int(one.deadline.timestamp() * 1000),
            reply_to=self._actions.inc,
        )
        match await self._actions.post(entry, must_be_online=True):
            case "NOBOT":
                return _failed(one, f"no bot {bot} was ever here")
            case "OFFLINE":
                return _failed(one, f"the bot {bot} is offline")
            case _:
                return None

    async def _end(self, ends: list[End]) -> None:
        if ends:
            await self._box.ended([SkillAnswer(id) for id in await self._attempts.end(ends)])

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._soon.wait()
        except TimeoutError:
            pass


def _action_id(one: Seen) -> str:
    return f"{one.execution_id}.{one.retry_count}"


def _failed(one: Seen, why: str, *, again: bool = True) -> End:
    return End(one.execution_id, one.retry_count, ok=False, error=why, again=again)


def _end_of(one: Seen, result: ActionResult) -> End | None:
    """How the try ended; None while its action is under way."""
    harmless = one.action_type != ActionType.SEND_MESSAGE
    words = result.message or f"the bot answered {result.retcode}"
    if result.state == "DONE":
        return End(one.execution_id, one.retry_count, ok=True, result=result.data.decode(errors="replace"))
    if result.state in ("FAILED", "EXPIRED"):
        return _failed(one, words)
    if result.state in ENDED:
        return _failed(one, f"perhaps done: {words}", again=harmless)
    if result.state == "GONE" or one.deadline.timestamp() + PATIENCE < time.time():
        return _failed(one, "perhaps done: nothing is known of its action any more", again=harmless)
    return None
