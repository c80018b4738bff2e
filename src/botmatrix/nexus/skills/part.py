"""The skill system of one nexus, put together: its own connections, subscriptions and work.

It runs in the nexus because there the answers of old workers arrive and the lanes are known; nothing of it is on the
message path, and nothing on the message path waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import msgspec
import structlog

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.keys import Keys
from botmatrix.bus.presence import Presence
from botmatrix.bus.signals import Signals
from botmatrix.bus.skill_asks import AskBox
from botmatrix.bus.skills import SkillBox
from botmatrix.config import Settings
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.skills.asked import Calls, answer_of
from botmatrix.nexus.skills.dispatcher import Dispatcher
from botmatrix.nexus.skills.results import Results
from botmatrix.nexus.skills.roster import Roster
from botmatrix.nexus.skills.triggers import Triggers
from botmatrix.nexus.skills.underway import Underway
from botmatrix.nexus.tasks.manager import TaskManager
from botmatrix.skills.model import SkillAnswer
from botmatrix.store.asked import AskedExecutions
from botmatrix.store.engine import Database
from botmatrix.store.executions import Executions, Seen

log = structlog.get_logger("nexus.skills")


class SkillPart:
    """Made only where the skill system is on."""

    def __init__(self, settings: Settings, keys: Keys, inc: str) -> None:
        url = str(settings.redis_url)
        self.counters: Counter[str] = Counter()
        self._database = Database(str(settings.database_url), part="skills")
        self._executions = Executions(self._database)
        self._presence = Presence(url, keys, name=f"botmatrix-skills-{inc}")
        self._box = SkillBox(url, keys, name=f"botmatrix-skills-{inc}")
        self._signals = Signals(url, name=f"botmatrix-skills-{inc}")
        self.roster = Roster(self._presence)
        self.triggers = Triggers(self.roster, settings, self.counters)
        self._underway = Underway(self._executions)
        self.dispatcher = Dispatcher(self._executions, self._box, self.roster, self._underway, self.counters)
        self._asks = AskBox(url, keys, name=f"botmatrix-skill-asks-{inc}")
        asked = AskedExecutions(self._database)
        self.calls = Calls(self._asks, asked, self.dispatcher, self.roster, inc, self.counters)
        self.results = Results(self._executions, self._box, inc, self.counters)
        self.results.on_ended = self._tell
        self.results.on_declined = self.dispatcher.nudge
        self.dispatcher.on_expired = self._expired
        actions = ActionBox(url, keys, f"{inc}-tasks")
        self.tasks = TaskManager(actions, self._database, self._box, self.counters, self.dispatcher.nudge)
        self.dispatcher.on_actions = self.tasks.acts.begin
        self._keys = keys

    def subscribe(self) -> None:
        """Listen to what workers report."""
        k = self._keys
        self._signals.subscribe(k.worker_register, self.roster.on_register)
        self._signals.subscribe(k.skill_result, self.results.on_result)
        self._signals.subscribe(k.presence_changed, self.roster.on_presence)
        self._signals.subscribe(k.skills_due, self.dispatcher.nudge)
        self.tasks.subscribe(self._signals, k)

    def on_socket_result(self, worker_id: str, fields: dict[str, Any]) -> None:
        """An old worker reported a result over its socket."""
        self.results.on_result(msgspec.json.encode({"worker_id": worker_id, **fields}))

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs as long as the nexus does."""
        return {
            "skills roster": self.roster.run(),
            "skills dispatch": self._with_tables(self.dispatcher.run()),
            "skills told": self._with_tables(self.dispatcher.run_told()),
            "skills under way": self._underway.run(),
            "skills results": self._with_tables(self.results.run()),
            "skills calls": self._with_tables(self.calls.run()),
            "skills reports": self.results.run_came(),
            **{name: self._with_tables(work) for name, work in self.tasks.work().items()},
        }

    async def close(self) -> None:
        """End the connections."""
        await self._signals.close()
        await self.tasks.close()
        await self._box.close()
        await self._asks.close()
        await self._presence.close()
        with contextlib.suppress(EngineUnavailable, OSError):
            await self._database.close()

    async def _expired(self, ended: list[Seen]) -> None:
        await self._tell([answer_of(one) for one in ended])

    async def _tell(self, ended: list[SkillAnswer]) -> None:
        """Those who wait for these, by REST or in a plugin."""
        self._underway.ended(one.execution_id for one in ended)
        await self._box.ended(ended)
        await self._asks.answer(ended)

    async def _with_tables(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin when the tables are there: a control process makes them."""
        try:
            await self._tables()
            await work
        finally:
            work.close()

    async def _tables(self) -> None:
        while True:
            try:
                if await self._executions.ready():
                    return
            except EngineUnavailable as error:
                log.debug("skills wait for the database", error=str(error))
            await asyncio.sleep(1)
