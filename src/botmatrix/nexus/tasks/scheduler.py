"""Tasks whose moment has come are set off."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import structlog

from botmatrix.errors import EngineUnavailable
from botmatrix.store.firing import Due, Fire, Firing
from botmatrix.tasks.model import BadTask, TaskType
from botmatrix.tasks.triggers import Trigger

log = structlog.get_logger("nexus.tasks")
BATCH = 200
LOOK_SECONDS = 1.0
SHORTEST = 0.02


class Scheduler:
    """Looks when the next moment comes, once a second at least. Counters: `tasks_fired`, `tasks_missed`.

    What was missed is made up for once, however often it should have been: `tasks_missed` counts the tasks for which
    more than one moment had passed.
    """

    def __init__(self, firing: Firing, counters: Counter[str], on_fired: Callable[[], None]) -> None:
        self._firing, self._counters, self._on_fired = firing, counters, on_fired
        self._soon = asyncio.Event()

    def nudge(self, _body: bytes = b"") -> None:
        """A task was made or changed."""
        self._soon.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._soon.clear()
            pause = LOOK_SECONDS
            try:
                pause = await self.look()
            except EngineUnavailable as error:
                log.debug("tasks wait", error=str(error))
            try:
                async with asyncio.timeout(pause):
                    await self._soon.wait()
            except TimeoutError:
                pass

    async def look(self) -> float:
        """Set off what is due; in how many seconds to look again. Raises `EngineUnavailable`."""
        due, soon = await self._firing.due(BATCH)
        if not due:
            return LOOK_SECONDS if soon is None else min(LOOK_SECONDS, max(SHORTEST, soon))
        if made := await self._firing.fire([Fire(one, self._next(one)) for one in due]):
            self._counters["tasks_fired"] += made
            self._on_fired()
        return SHORTEST

    def _next(self, due: Due) -> datetime | None:
        try:
            return self._following(Trigger(TaskType(due.type), due.trigger_config, due.time_zone), due)
        except (BadTask, ValueError, OverflowError) as error:
            log.error("a task does not come again: it can't be read", task=due.id, error=str(error))
            return None

    def _following(self, trigger: Trigger, due: Due) -> datetime | None:
        following = trigger.next(due.moment)
        if following is None or following > due.now:
            return following
        self._counters["tasks_missed"] += 1
        return trigger.next(due.now)
