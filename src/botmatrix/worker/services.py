"""What the worker gives to its plugins (`sdk.services.Services`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from botmatrix.bus.actions import ActionResult
from botmatrix.bus.envelope import ActionEntry
from botmatrix.clock import Clock
from botmatrix.config import Settings
from botmatrix.core.plugin_settings import Configured
from botmatrix.core.plugins import Wish
from botmatrix.errors import SkillFailed
from botmatrix.sdk.address import Address
from botmatrix.sdk.ask import TooManyQuestions
from botmatrix.sdk.plugin import Plugin
from botmatrix.sdk.services import Question
from botmatrix.skills.model import SkillAsk
from botmatrix.worker.links import Links
from botmatrix.worker.plugins.grants import grants
from botmatrix.worker.skill_calls import SkillCalls

if TYPE_CHECKING:
    from botmatrix.store.plugin_values import PluginValues
    from botmatrix.worker.processes import Processes

ANSWER_LIMIT = 30.0
"""For how long (s) a bot's answer is waited for after the last moment at which the action may leave."""


class WorkerServices:
    """Actions before the acknowledgement, the settings and the clock.

    `catch_up` waits until earlier events are settled: an action that leaves early may not overtake what was sent in
    answer to them, nor stand when they are handled again elsewhere.
    """

    def __init__(self, settings: Settings, clock: Clock, links: Links, status: Callable[[], Mapping[str, Any]]) -> None:
        self.worker_id = settings.worker_id
        self.clock = clock
        self.sessions, self.uses, self.crons = links.sessions, links.uses, links.crons
        self._speakers, self._media = links.speakers, links.media
        self._processes: Processes | None = None
        self.rest: Callable[[str], AbstractContextManager[None]] = lambda _event_id: nullcontext()
        self.set_apart: Callable[[str], None] = lambda _event_id: None
        self._values: PluginValues | None = None
        self._box, self._direct, self._status = links.actions, links.direct, status
        self.take(settings)
        self.configured: Callable[[str], Configured] = _nothing
        self.catch_up: Callable[[], Awaitable[None]] = _at_once
        self.skills: SkillCalls | None = None
        self.ask: Callable[[str, str], Awaitable[Question]] = _nobody

    def take(self, settings: Settings) -> None:
        """These settings are in force; plugins find bound users among the chat administrators."""
        self._direct.take(settings)
        self.settings = dataclasses.replace(settings, chat_admins=settings.commanders)

    async def call(self, entry: ActionEntry) -> ActionResult:
        """Enqueue once for its id and wait; what has no answer in time is still `QUEUED` or `SENT`."""
        await self.catch_up()
        result = await self._direct.call(entry)
        if result is not None:
            return result
        left = max(0.0, entry.exp / 1000 - self.clock.now())
        return await self._box.call(entry, timeout=left + ANSWER_LIMIT)

    async def call_skill(self, ask: SkillAsk, event_id: str) -> str:
        """Have a skill executed. Raises `SkillFailed`, `EngineUnavailable`."""
        if self.skills is None:
            raise SkillFailed(ask.skill, "the skill system is off: set enable_skill and restart every part")
        return await self.skills.call(ask, event_id)

    async def database_url(self) -> str:
        """Where PostgreSQL is; empty when this worker has none."""
        return str(self.settings.database_url)

    def values(self) -> PluginValues:
        """What plugins keep for good; the database is opened when it is first used."""
        if self._values is None:
            # SQLAlchemy costs half a second and 20 MiB: only a worker whose plugins keep something pays that.
            from botmatrix.store.plugin_values import PluginValues

            self._values = PluginValues(str(self.settings.database_url), part="worker")
        return self._values

    def grants(self, plugin: Plugin, wish: Wish, *, packaged: bool) -> Collection[str]:
        """Names of the actions that a plugin may have bots do."""
        return grants(plugin, wish, self.settings.plugin_grants, packaged=packaged)

    def offload(self, segments: Iterable[dict[str, Any]]) -> list[Callable[[], Awaitable[None]]]:
        """Put names in the place of large media; what is given keeps them. Raises `ActionFailed`."""
        return self._media.offload(segments)

    async def keep_media(self, token: str, data: bytes) -> None:
        """Keep a piece of media for an hour under this name. Raises `ActionFailed`, `EngineUnavailable`."""
        await self._media.keep(token, data)

    async def speaker(self, there: Address, preferred: str) -> str:
        """The bot that can speak there. Raises `ActionFailed`, `EngineUnavailable`."""
        return await self._speakers.choose(there.platform, there.kind, there.id, preferred)

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a function gives in another process."""
        if self._processes is None:
            from botmatrix.worker.processes import Processes

            self._processes = Processes()
        return await self._processes.run(function, *args, **kwargs)

    def resting(self, event_id: str) -> AbstractContextManager[None]:
        """While the handling of this event waits, others are handled in its place."""
        return self.rest(event_id)

    def apart(self, event_id: str) -> None:
        """Only plugins with processes of their own are still at work on this event."""
        self.set_apart(event_id)

    async def close(self) -> None:
        """Close what was opened here."""
        if self.skills is not None:
            await self.skills.close()
        if self._processes is not None:
            await self._processes.close()
        if self._values is not None:
            await self._values.close()

    async def asking(self, event_id: str, ask_id: str) -> Question:
        """Before a question leaves. Raises `TooManyQuestions`, `EngineUnavailable`."""
        return await self.ask(event_id, ask_id)

    async def post(self, entry: ActionEntry) -> str:
        """Enqueue once for its id; do not wait. What goes directly has ended then, so that order holds."""
        await self.catch_up()
        result = await self._direct.call(entry)
        if result is not None:
            return result.state
        return await self._box.post(entry)

    def status(self) -> Mapping[str, Any]:
        """What the worker says of itself, for people."""
        return self._status()


async def _nobody(_event_id: str, _ask_id: str) -> Question:
    raise TooManyQuestions


async def _at_once() -> None:
    """Nothing to wait for."""


def _nothing(_plugin: str) -> Configured:
    return Configured()
