"""Tasks, their executions and tags, for REST and the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.control.skills import SkillDesk
from botmatrix.errors import BotMatrixError, EngineUnavailable
from botmatrix.skills.schema import fitted
from botmatrix.store.attempts import Attempts
from botmatrix.store.engine import Database
from botmatrix.store.executions import Seen
from botmatrix.store.firing import Firing
from botmatrix.store.skill_tables import Task
from botmatrix.store.tags import Tags
from botmatrix.store.tasks import Tasks, UnknownTask, definition_of
from botmatrix.tasks.actions import needs_event
from botmatrix.tasks.definition import Definition
from botmatrix.tasks.model import ActionType, TaskType


class NeedsEvent(BotMatrixError):
    """The task can't be done without an event."""

    def __init__(self) -> None:
        super().__init__(
            "this task answers an event, so it can't be run by hand: say in it where, to whom, by which bot"
        )


class UnknownExecution(BotMatrixError):
    """There is no such execution, or it has ended."""

    def __init__(self) -> None:
        super().__init__("there is no execution with this id that has not ended")


class TaskDesk:
    """What changes something also tells the nexuses, which look every second or two anyway.

    Every method raises `EngineUnavailable`.
    """

    def __init__(self, database: Database, redis: Client, keys: Keys, skills: SkillDesk) -> None:
        self._redis, self._keys, self._skills = redis, keys, skills
        self._firing, self._attempts = Firing(database), Attempts(database)
        self.tasks, self.tags = Tasks(database), Tags(database)

    async def create(self, definition: Definition, creator: str) -> Task:
        """A new task. Raises `BadTask`, `BadParams`, `TooManyTasks`."""
        made = await self.tasks.create(await self._fitted(definition), creator)
        await self._tell(self._keys.tasks_changed)
        return made

    async def edit(self, task_id: int, changes: Mapping[str, Any]) -> tuple[Task, Task]:
        """The task before and after. Raises `BadTask`, `BadParams`, `TooManyTasks`, `UnknownTask`."""
        changes = dict(changes)
        if "action_params" in changes or "action_type" in changes:
            known = {name: changes[name] for name in ("action_type", "action_params", "type") if name in changes}
            definition = replace(definition_of(await self.tasks.get(task_id)), **known)
            changes["action_params"] = (await self._fitted(definition)).action_params
        before, after = await self.tasks.edit(task_id, changes)
        await self._tell(self._keys.tasks_changed)
        return before, after

    async def delete(self, task_id: int) -> Task:
        """Drop a task and its executions. Raises `UnknownTask`."""
        task = await self.tasks.delete(task_id)
        await self._tell(self._keys.tasks_changed)
        return task

    async def run(self, task_id: int, who: str) -> tuple[Task, list[str]]:
        """Set a task off now; the ids of its executions. Raises `UnknownTask`, `NeedsEvent`."""
        task = await self.tasks.get(task_id)
        definition = definition_of(task)
        if needs_event(definition.action_type, definition.action_params, definition.place):
            raise NeedsEvent
        made = await self._firing.run(task_id, who)
        if not made:  # deleted meanwhile
            raise UnknownTask
        await self._tell(self._keys.skills_due)
        return task, made

    async def cancel(self, execution_id: str, who: str) -> Seen:
        """End an execution that has not ended; what is under way already can't be called back.

        Raises `UnknownExecution`.
        """
        found = await self._attempts.cancel(execution_id, f"cancelled by {who}")
        if found is None:
            raise UnknownExecution
        return found

    async def _fitted(self, definition: Definition) -> Definition:
        """The parameters of a skill as its schema wants them, when a worker has it now and no event fills them in."""
        params = definition.action_params
        if definition.action_type is not ActionType.SKILL_CALL:
            return definition
        if definition.type is TaskType.CONDITION and "{" in str(params):
            return definition
        known = (await self._skills.skills()).get(str(params.get("skill", "")))
        return replace(definition, action_params=fitted(params, known[0].schema)) if known else definition

    async def _tell(self, channel: str) -> None:
        with contextlib.suppress(EngineUnavailable, ReplyError):
            await self._redis.call("PUBLISH", channel, "")
