"""Events that meet the condition of a task set it off.

On the message path an event is only held against conditions that are compiled already, and what it meets is put aside;
everything else happens here. Without conditions nobody asks.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from botmatrix.core.text import said
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.dispatcher import duplicate_mark
from botmatrix.onebot.event import Event
from botmatrix.store.executions import clean
from botmatrix.store.firing import Firing
from botmatrix.store.skill_tables import Task
from botmatrix.store.tasks import Tasks, definition_of
from botmatrix.tasks.actions import Facts, filled
from botmatrix.tasks.conditions import Condition, Conditions
from botmatrix.tasks.definition import Definition
from botmatrix.tasks.model import BadTask

log = structlog.get_logger("nexus.tasks")
LOOK_SECONDS: Final = 2.0
HELD: Final = 10_000
"""Met conditions that wait for PostgreSQL; more are dropped and counted."""
LONGEST_TEXT: Final = 2000

Hear = Callable[[Bot, Event], None]


class Met(NamedTuple):
    """An event that met the condition of a task."""

    definition: Definition
    task_id: int
    cause: str
    facts: Facts


class Watch:
    """`on_change` is given what is to hear every event that goes on, None while there are no conditions.

    Counters: `tasks_met`, and `tasks_met_dropped` of them.
    """

    def __init__(self, tasks: Tasks, firing: Firing, counters: Counter[str], on_fired: Callable[[], None]) -> None:
        self._tasks, self._firing = tasks, firing
        self._counters, self._on_fired = counters, on_fired
        self.on_change: Callable[[Hear | None], None] = lambda _hear: None
        self.is_ours: Callable[[str], bool] = lambda _bot: False
        self._conditions = Conditions()
        self._definitions: dict[int, Definition] = {}
        self._version = ""
        self._met: deque[Met] = deque()
        self._came, self._changed = asyncio.Event(), asyncio.Event()

    def nudge(self, _body: bytes = b"") -> None:
        """A task was made or changed."""
        self._changed.set()

    def hear(self, bot: Bot, event: Event) -> None:
        """An event goes on. Never blocks and never raises. What our own bots say sets nothing off."""
        found = self._conditions.met(bot.key, event)
        if not found or self.is_ours(f"{bot.platform}:{event.user_id}"):
            return
        text = clean(said(event.raw).whole[:LONGEST_TEXT]) if event.post_type == "message" else ""
        facts = Facts(bot.key, event.group_id, event.user_id, text)
        cause = f"event {duplicate_mark(bot.key, event)} of {bot.key} in {event.conv}"
        for task_id in found:
            self._counters["tasks_met"] += 1
            if len(self._met) < HELD:
                self._met.append(Met(self._definitions[task_id], task_id, cause, facts))
            else:
                self._counters["tasks_met_dropped"] += 1
        self._came.set()

    async def run(self) -> None:
        """Know the conditions; until cancelled."""
        while True:
            self._changed.clear()
            try:
                await self.look()
            except EngineUnavailable as error:
                log.debug("the conditions stay as they are", error=str(error))
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Take what is new. Raises `EngineUnavailable`."""
        version = await self._tasks.conditions_version()
        if version != self._version:
            self._take(await self._tasks.conditions())
            self._version = version

    async def run_met(self) -> None:
        """Set off what was met, in its order; until cancelled."""
        while True:
            while self._met:
                try:
                    await self._fire(self._met[0])
                except EngineUnavailable as error:
                    log.debug("conditions that were met wait", error=str(error))
                    await asyncio.sleep(0.5)
                    continue
                except Exception:  # one that can't be kept must not hold up the others, whatever somebody said
                    log.exception("a condition was met in vain", task=self._met[0].task_id)
                    self._counters["tasks_met_dropped"] += 1
                self._met.popleft()
            self._came.clear()
            await self._came.wait()

    async def _fire(self, met: Met) -> None:
        one = met.definition
        params = filled(one.action_type, one.action_params, met.facts, one.place)
        if made := await self._firing.meet(met.task_id, met.cause, params):
            self._counters["tasks_fired"] += made
            self._on_fired()

    def _take(self, tasks: Sequence[Task]) -> None:
        conditions, definitions = [], {}
        for task in tasks:
            try:
                conditions.append((task.id, Condition.read(task.trigger_config)))
                definitions[task.id] = definition_of(task)
            except (BadTask, ValueError) as error:
                log.error("a task is never set off: its condition can't be read", task=task.id, error=str(error))
        self._conditions, self._definitions = Conditions(conditions), definitions
        self.on_change(self.hear if conditions else None)
