"""Which bot an old worker means: the one that it names, else the one of its group. Never just the first one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from botmatrix.clock import Clock
from botmatrix.nexus.handshake import DEFAULT_PLATFORM, clean_platform
from botmatrix.nexus.hub import Hub
from botmatrix.onebot.action import ActionResponse

NOT_IN_GROUP: Final = 1200
REMEMBERED: Final = 20_000
"""Groups, and bots of other nexuses, that were heard of."""
ASK_AGAIN: Final = 10.0
"""Seconds for which a bot is not asked for its groups again."""


class BotFinder:
    """Knows the bots here, and what old workers heard of others."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub, self._clock = hub, clock
        self._of_group: dict[str, str] = {}
        self._far: dict[str, str] = {}
        self._asked: dict[str, float] = {}

    def heard(self, bot: str, self_id: str, group_id: str) -> None:
        """An old worker gets an event of this bot: it may answer there."""
        if group_id and self._of_group.get(group_id) != bot:
            _remember(self._of_group, group_id, bot)
        if bot not in self._hub.bots:
            _remember(self._far, self_id, bot)

    def find(self, platform: str, self_id: str, group_id: str) -> str:
        """The key of the bot, which need not be on this nexus; `""` when nothing says which one."""
        if self_id:
            return self._named(clean_platform(platform), self_id)
        if group_id:
            inside = _only(key for key, bot in self._hub.bots.items() if group_id in bot.groups and bot.links)
            return inside or self._of_group.get(group_id, "")
        return ""

    def learn(self, key: str, group_id: str, response: ActionResponse) -> None:
        """A bot answered an action in this group: perhaps it is not in it any more, then its groups are asked for."""
        words = f"{response.message} {response.wording}".lower()
        if response.retcode != NOT_IN_GROUP and "not in group" not in words and "removed" not in words:
            return
        if self._of_group.get(group_id) == key:
            del self._of_group[group_id]
        bot, now = self._hub.bots.get(key), self._clock.monotonic()
        if bot is None or bot.api_link is None:
            return
        if group_id in bot.groups:
            bot.groups = {group: name for group, name in bot.groups.items() if group != group_id}
            self._hub.observer.on_change(bot)
        if now - self._asked.get(key, -ASK_AGAIN) >= ASK_AGAIN:
            self._asked[key] = now
            self._hub.greeter.ask_groups(bot.api_link)

    def _named(self, platform: str, self_id: str) -> str:
        if platform:
            return f"{platform}:{self_id}"
        known = self._hub.namesakes.get(self_id, ())
        if len(known) > 1:
            return ""
        return next(iter(known)) if known else self._far.get(self_id, f"{DEFAULT_PLATFORM}:{self_id}")


def _remember(known: dict[str, str], name: str, bot: str) -> None:
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[name] = bot


def _only(found: Iterable[str]) -> str:
    """The one that was found; `""` when there are none or several."""
    several = list(itertools.islice(found, 2))
    return several[0] if len(several) == 1 else ""
