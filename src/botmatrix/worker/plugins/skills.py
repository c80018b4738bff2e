"""The skills of the plugins that are loaded, and how one of them is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from botmatrix.onebot.message import Message, Segment, Sendable
from botmatrix.sdk.app import App
from botmatrix.sdk.arguments import Arguments
from botmatrix.sdk.context import Context
from botmatrix.sdk.handler import Handler, Trigger
from botmatrix.sdk.said import Said
from botmatrix.skills.model import BadParams, Capability
from botmatrix.skills.permission import SkillPermission, SkillPermissions, Speaker, may_say
from botmatrix.worker.plugins.life import Life
from botmatrix.worker.plugins.runs import Runs
from botmatrix.worker.plugins.table import Bound, Match
from botmatrix.worker.plugins.threads import Threads

if TYPE_CHECKING:
    from botmatrix.sdk.skill import Skill


_LAST = (1 << 30, 0)
"""Place of what a skill answers among the handlers of a message."""


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
        self.is_on = False
        """Whether the skill system is: only then anything is executed."""

    def add(self, offer: Offer) -> Callable[[], object]:
        """Offer a skill; the answer takes it back, unless another version offers it meanwhile."""
        name = offer.handler.name
        self._offers[name] = offer
        return lambda: self._offers.pop(name) if self._offers.get(name) is offer else None

    def owner(self, name: str) -> str:
        """The id of the plugin that offers a skill; empty when there is none."""
        return self._offers[name].app.id if name in self._offers else ""

    def is_apart(self, name: str) -> bool:
        """Whether the plugin that offers a skill has a process of its own."""
        return name in self._offers and self._offers[name].life.apart

    def offered(self) -> list[Skill]:
        """The skills that may be called."""
        return [offer.handler for offer in self._offers.values()]

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
                permission=skill.permission,
            )
            for skill in self.offered()
        ]

    def permission(self, name: str, permissions: SkillPermissions) -> SkillPermission:
        """Who may use a skill now."""
        offer = self._offers.get(name)
        return permissions.of(name, offer.handler.permission if offer else "")

    def heard(
        self, name: str, said: Said, facts: Mapping[str, str], permissions: SkillPermissions, speaker: Speaker
    ) -> Match | None:
        """What answers a message whose words mean a skill; None when they don't, or when who said it may not.

        The named groups of its expression are its parameters. `facts`: what it is told besides, if it wants it.
        """
        offer = self._offers.get(name)
        if offer is None or not self.is_on or not may_say(self.permission(name, permissions), speaker):
            return None
        skill = offer.handler
        found = skill.words.search(said.text) if skill.words else None
        if found is None:
            return None
        wanted = skill.schema.get("properties", {})
        given = {fact: value for fact, value in facts.items() if fact in wanted}
        given |= {group: value for group, value in found.groupdict().items() if value is not None}
        try:
            return Match(Bound(offer.app, _answering(skill, skill.arguments(given)), _LAST, offer.life), said)
        except BadParams:
            return None

    async def run(self, name: str, params: Mapping[str, Any], limit: float) -> Any:
        """Execute a skill within its own time limit and `limit` (s).

        Raises `NoSkill`, `BadParams`, `HandlerTimeout`, and whatever the skill raises.
        """
        offer = await self._serving(name)
        skill = offer.handler
        offer.life.enter()
        try:
            arguments = skill.arguments(params)
            if skill.is_async:
                work = skill.start(arguments, None)
            else:
                work = self._threads.run(partial(skill.start, arguments, None))
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


def _answering(skill: Skill, arguments: Mapping[str, Any]) -> Handler:
    """A handler that executes a skill and says its result."""

    async def awaited(ctx: Context) -> Sendable:
        return _sayable(await skill.start(arguments, ctx))

    def called(ctx: Context) -> Sendable:
        return _sayable(skill.start(arguments, ctx))

    return Handler(
        name=skill.name,
        function=awaited if skill.is_async else called,
        trigger=Trigger.MESSAGE,
        arguments=_NO_ARGUMENTS,
        timeout=skill.timeout,
        is_async=skill.is_async,
    )


def _sayable(result: Any) -> Sendable:
    if result is None:
        return ""
    return result if isinstance(result, str | Message | Segment) else msgspec.json.encode(result, enc_hook=str).decode()


_NO_ARGUMENTS = Arguments(lambda _ctx: None)
