"""How much may be said a minute: users, groups and bots, counted in the memory of the bot's nexus.

A window is a debt that each message raises by its share of a minute and that time pays off; over a minute of debt the
limit is reached. So a number a minute may come at once, and is there again a minute later. Users and groups are counted
for each bot apart: a bot is at one nexus, so the outcome does not depend on how many there are, and a message that two
bots of a group hear counts once for each.
"""

from __future__ import annotations

from typing import Final

from botmatrix.bus.hot_values import Limit, RateLimits, Whose
from botmatrix.nexus.bot import Bot
from botmatrix.onebot.event import Event

MINUTE_MS: Final = 60_000.0
LONGEST: Final = MINUTE_MS + 0.001
"""The longest debt; shares of a minute are added up in floats."""
GENERATION: Final = 32_768

Key = tuple[str, str]
PASS: Final = ("", "")


class Window:
    """The limit of users, of groups, or of bots: key -> when its debt is paid off (ms of unix time).

    Keys are kept in two generations. When the young one is full it takes the old one's place: what was quiet for a
    whole generation is forgiven, so ids without end take no memory without end.
    """

    def __init__(self, whose: Whose, generation: int = GENERATION) -> None:
        self.whose: Whose = whose
        self._generation = generation
        self._young: dict[Key, float] = {}
        self._old: dict[Key, float] = {}
        self.adjust(Limit())

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def adjust(self, limit: Limit) -> None:
        """Another limit; who has talked too much is measured by it from now on."""
        self.limit, self.is_on = limit, not limit.is_off
        self._share = MINUTE_MS / limit.per_min if limit.per_min else 0.0
        self._has_exceptions = bool(limit.exceptions)

    def take(self, platform: str, id_: str, key: Key, now: float) -> bool:
        """Let one message through, if that is not too much."""
        share = self._share_of(platform, id_) if self._has_exceptions else self._share
        if not share:
            return True
        due = self._young.get(key)
        if due is None:
            due = self._grown_up(key, now)
        latest = now + LONGEST
        if not now <= due <= latest:  # paid off, or made by a clock that was set back since
            due = now
        paid = due + share
        if paid > latest:
            self._young[key] = due
            return False
        self._young[key] = paid
        return True

    def give_back(self, platform: str, id_: str, key: Key) -> None:
        """Another limit has stopped the message that was let through here."""
        if key in self._young:
            self._young[key] -= self._share_of(platform, id_)

    def _share_of(self, platform: str, id_: str) -> float:
        per_min = self.limit.of(platform, id_)
        return MINUTE_MS / per_min if per_min else 0.0

    def _grown_up(self, key: Key, now: float) -> float:
        """The debt of a key that is not in the young generation."""
        if len(self._young) >= self._generation:
            self._young, self._old = {}, self._young
        return self._old.get(key, now)


class Limits:
    """The stage of the pipeline. Messages count, nothing else does; what is stopped here costs nobody anything."""

    def __init__(self) -> None:
        self.windows = (Window("user"), Window("group"), Window("bot"))
        self._on: tuple[tuple[int, Window], ...] = ()
        self.are_on = False

    def adjust(self, limits: RateLimits) -> None:
        """Go by these from now on."""
        for window in self.windows:
            window.adjust(limits.heard(window.whose))
        self._on = tuple((place, window) for place, window in enumerate(self.windows) if window.is_on)
        self.are_on = bool(self._on)

    def stop(self, bot: Bot, event: Event, received_ms: int) -> tuple[str, str]:
        """Reason (`limited_user`, `limited_group`, `limited_bot`) and words, or two empty texts: it goes on."""
        if event.post_type != "message":
            return PASS
        group = event.group_id if event.detail_type != "private" else ""
        ids = (event.user_id, group, bot.self_id)
        platform, bot_key = bot.platform, bot.key
        for place, window in self._on:
            id_ = ids[place]
            if id_ and not window.take(platform, id_, (bot_key, id_), received_ms):
                return self._refuse(window, bot, ids)
        return PASS

    def _refuse(self, by: Window, bot: Bot, ids: tuple[str, str, str]) -> tuple[str, str]:
        for place, window in self._on:
            id_ = ids[place]
            if window is by:
                break
            window.give_back(bot.platform, id_, (bot.key, id_))
        return f"limited_{by.whose}", f"more than {by.limit.of(bot.platform, id_)} a minute"
