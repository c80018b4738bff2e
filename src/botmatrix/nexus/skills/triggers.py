"""Messages whose words mean a skill go to a worker that has it. On the message path: no await, nothing while no skill
has words."""

from __future__ import annotations

import random
from collections import Counter

import structlog

from botmatrix.bus.skills import having
from botmatrix.config import Settings
from botmatrix.core.text import LONGEST, said
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.skills.roster import Roster
from botmatrix.onebot.event import Event
from botmatrix.routing.rule import Fallback
from botmatrix.routing.table import Route
from botmatrix.skills.permission import SkillPermission, SkillPermissions, Speaker, may_say, strictest
from botmatrix.skills.words import Words

log = structlog.get_logger("nexus.skills")


class Triggers:
    """The words of the skills that workers have now. Counter: `skill_triggers`.

    A written rule stands above them: what it blocks or copies is left alone, and where it names targets, only they
    may execute the skill.
    """

    def __init__(self, roster: Roster, settings: Settings, counters: Counter[str]) -> None:
        self._roster, self._counters = roster, counters
        self._words, self._known = Words({}), dict[str, str]()
        self._permissions: dict[str, SkillPermission] = {}
        roster.on_change = self._compile
        self.take(settings)

    @property
    def are_there(self) -> bool:
        """Whether any skill has words."""
        return bool(self._words)

    def take(self, settings: Settings) -> None:
        """These settings are in force."""
        self._set = SkillPermissions(settings.skill_permissions)
        self._commanders = frozenset(settings.commanders)
        self._compile()

    def route(self, bot: Bot, event: Event, route: Route | None) -> Route | None:
        """The way to a worker with the skill that the words mean; else the route as it is."""
        if route is not None and (route.blocked or route.copies):
            return route
        for skill in self._words.meant(said(event.raw).text[:LONGEST].strip()):
            if event.user_id != bot.self_id and may_say(self._permissions[skill], self._speaker(bot, event)):
                targets = route.targets if route is not None else None
                if workers := having(skill, self._roster.workers, self._roster.pools, targets):
                    self._counters["skill_triggers"] += 1
                    return _to(random.choice(workers), skill, route)  # noqa: S311 - no secret
        return route

    def _speaker(self, bot: Bot, event: Event) -> Speaker:
        is_commander = f"{bot.platform}:{event.user_id}" in self._commanders
        return Speaker(event.detail_type, event.sub_type, is_commander)

    def _compile(self) -> None:
        every = [one for can in self._roster.workers.values() for one in can if one.regex]
        self._permissions = strictest(self._set, ((one.name, one.permission) for one in every))
        expressions = {one.name: one.regex for one in every}
        if expressions != self._known:
            self._known, self._words = expressions, Words(expressions)
            for skill, why in self._words.unreadable.items():
                log.warning("what people write to mean a skill can't be read", skill=skill[:64], why=why[:200])


def _to(worker: str, skill: str, route: Route | None) -> Route:
    """Messages of one conversation that mean a skill stay in their order while one of them is under way."""
    if route is not None:
        return route._replace(targets=(worker,), mark=f"\tskill:{skill}", skill=skill)
    return Route(f"skill:{skill}", (worker,), False, Fallback.BALANCE, f"\tskill:{skill}", "", skill=skill)
