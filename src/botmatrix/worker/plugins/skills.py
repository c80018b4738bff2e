"""The skills of the plugins that are loaded, and how one of them is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from botmatrix.sdk.app import App
from botmatrix.skills.model import Capability
from botmatrix.worker.plugins.life import Life
from botmatrix.worker.plugins.runs import Runs
from botmatrix.worker.plugins.threads import Threads

if TYPE_CHECKING:
    from botmatrix.sdk.skill import Skill


class NoSkill(Exception):
    """No plugin here has this skill (any more)."""


class Offer:
    """A skill of one version of a plugin. Calls that were begun in a version end in it."""

    __slots__ = ("app", "handler", "life")

    def __init__(self, app: App, skill: Skill, life: Life) -> None:
        self.app, self.handler, self.life = app, skill, life


class SkillTable:
    """Skills by name; a name belongs to one plugin."""

    def __init__(self, runs: Runs, threads: Threads) -> None:
        self._runs, self._threads = runs, threads
        self._offers: dict[str, Offer] = {}

    def add(self, offer: Offer) -> Callable[[], object]:
        """Offer a skill; the answer takes it back, unless another version offers it meanwhile."""
        name = offer.handler.name
        self._offers[name] = offer
        return lambda: self._offers.pop(name) if self._offers.get(name) is offer else None

    def owner(self, name: str) -> str:
        """The id of the plugin that offers a skill; empty when there is none."""
        return self._offers[name].app.id if name in self._offers else ""

    def capabilities(self) -> list[Capability]:
        """What is reported to the hub."""
        return [
            Capability(
                name=skill.name,
                description=skill.description,
                usage=skill.usage,
                params=skill.params,
                regex=skill.regex,
                schema=skill.schema,
            )
            for skill in (offer.handler for offer in self._offers.values())
        ]

    async def run(self, name: str, params: Mapping[str, Any], limit: float) -> Any:
        """Execute a skill within its own time limit and `limit` (s).

        Raises `NoSkill`, `BadParams`, `HandlerTimeout`, and whatever the skill raises.
        """
        offer = await self._serving(name)
        skill = offer.handler
        offer.life.enter()
        try:
            arguments = skill.arguments(params)
            work = (
                skill.function(**arguments)
                if skill.is_async
                else self._threads.run(partial(skill.function, **arguments))
            )
            return await self._runs.watch(offer, work, limit)
        finally:
            offer.life.leave()

    async def _serving(self, name: str) -> Offer:
        """The version that serves; waits while it is being exchanged."""
        while (offer := self._offers.get(name)) is not None:
            if offer.life.held is None:
                return offer
            await offer.life.held.wait()
        raise NoSkill(name)
