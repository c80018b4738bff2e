"""The TaskManager of one nexus: tasks are set off, by time and by events, and what bots do for them is looked after.

Any number of nexuses may run one: each moment and each event is taken by one of them, and each step of an execution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.keys import Keys
from botmatrix.bus.signals import Signals
from botmatrix.bus.skills import SkillBox
from botmatrix.nexus.tasks.acts import Acts
from botmatrix.nexus.tasks.scheduler import Scheduler
from botmatrix.nexus.tasks.watch import Watch
from botmatrix.store.attempts import Attempts
from botmatrix.store.engine import Database
from botmatrix.store.executions import Executions
from botmatrix.store.firing import Firing
from botmatrix.store.tasks import Tasks


class TaskManager:
    """Made only where the skill system is on. `on_fired` is called when executions wait to be dispatched."""

    def __init__(
        self,
        actions: ActionBox,
        database: Database,
        box: SkillBox,
        counters: Counter[str],
        on_fired: Callable[[], None],
    ) -> None:
        firing = Firing(database)
        self._actions = actions
        self.scheduler = Scheduler(firing, counters, on_fired)
        self.watch = Watch(Tasks(database), firing, counters, on_fired)
        self.acts = Acts(actions, Executions(database), Attempts(database), box)

    def subscribe(self, signals: Signals, keys: Keys) -> None:
        """Hear of changed tasks, and of actions that ended."""
        signals.subscribe(keys.tasks_changed, self._changed)
        signals.subscribe(keys.result(self._actions.inc), self.acts.on_done)

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs as long as the nexus does."""
        return {
            "tasks schedule": self.scheduler.run(),
            "tasks conditions": self.watch.run(),
            "tasks met": self.watch.run_met(),
            "tasks actions": self.acts.run(),
        }

    async def close(self) -> None:
        """End the connection for actions."""
        await self._actions.close()

    def _changed(self, body: bytes) -> None:
        self.scheduler.nudge(body)
        self.watch.nudge(body)
