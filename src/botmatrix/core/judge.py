"""The verdict on one event, by a compiled configuration. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from botmatrix.core.config import CoreConfig, Names, UrlSet, WordLevel
from botmatrix.core.normal import normal
from botmatrix.core.text import said
from botmatrix.core.urls import UrlFilter, UrlList
from botmatrix.core.words import Words
from botmatrix.onebot.event import Event

CLOSED: Final = "system_closed"
MAINTENANCE: Final = "maintenance"
NO_IDS: Final[frozenset[str]] = frozenset()
NO_WORDS: Final[list[Words]] = []


class _Platform:
    """The lists as they stand for one platform: bare ids."""

    def __init__(self, config: CoreConfig, levels: _Levels, platform: str) -> None:
        white, black = config.permissions.whitelist, config.permissions.blacklist
        self.white_users, self.white_bots, self.white_groups = _sets(white, platform)
        self.users, self.bots, self.groups = _sets(black, platform)
        self.bot_words = _bare(levels.robot, platform)
        self.group_words = _bare(levels.group, platform)

    def reason(self, self_id: str, event: Event) -> str:
        """Why the blacklist blocks this event; empty when it does not."""
        user, group = event.user_id, event.group_id
        if user in self.white_users or group in self.white_groups or self_id in self.white_bots:
            return ""
        if user in self.users:
            return "user_blacklisted"
        if self_id in self.bots:
            return "bot_blacklisted"
        return "group_blacklisted" if group in self.groups else ""


class _Levels:
    """The words of bots and groups, compiled once for all platforms."""

    def __init__(self, config: CoreConfig) -> None:
        self.robot = _compiled(config.sensitive_words.robot)
        self.group = _compiled(config.sensitive_words.group)


class Judge:
    """One configuration, ready to judge. `closed`: the reason for which everything is blocked, or empty."""

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        control = config.system_control
        self.closed = "" if control.open else CLOSED
        if control.open and control.maintenance_mode:
            self.closed = MAINTENANCE
        self._levels = _Levels(config)
        self._words = _words(config.sensitive_words.system)
        self._urls = UrlFilter(_urls(config.url_filter.whitelist), _urls(config.url_filter.blacklist))
        self._listed = any(_ids(config.permissions.blacklist))
        self._reads = bool(self._words or self._levels.robot or self._levels.group or self._urls)
        self._idle = not (config.enabled and (self.closed or self._listed or self._reads))
        self._platforms: dict[str, _Platform] = {}

    def reason(self, platform: str, self_id: str, event: Event) -> str:
        """Why this event is blocked; empty when it passes. Never raises.

        Messages meet every check; notices and requests only a closed system; all else passes.
        """
        kind = event.post_type
        if self._idle or kind not in ("message", "notice", "request"):
            return ""
        if self.closed or kind != "message":
            return self.closed
        lists: _Platform = self._platforms.get(platform) or self._platform(platform)
        reason = lists.reason(self_id, event) if self._listed else ""
        if reason:
            return reason
        return self._content(lists, self_id, event) if self._reads else ""

    def _content(self, lists: _Platform, self_id: str, event: Event) -> str:
        text = normal(said(event.raw).whole)
        if not text:
            return ""
        if reason := self._words.reason(text):
            return reason
        if lists.bot_words or lists.group_words:
            apart = (*lists.bot_words.get(self_id, NO_WORDS), *lists.group_words.get(event.group_id, NO_WORDS))
            if reason := next((reason for words in apart if (reason := words.reason(text))), ""):
                return reason
        return self._urls.reason(text) if self._urls else ""

    def _platform(self, platform: str) -> _Platform:
        found = self._platforms[platform] = _Platform(self.config, self._levels, platform)
        return found


def _ids(names: Names) -> tuple[list[str], list[str], list[str]]:
    return names.system, names.robot, names.group


def _sets(names: Names, platform: str) -> Iterable[frozenset[str]]:
    return [frozenset(_on(ids, platform)) if ids else NO_IDS for ids in _ids(names)]


def _on(ids: Iterable[str], platform: str) -> Iterable[str]:
    """The ids that hold on a platform, bare."""
    for one in ids:
        name, mark, bare = one.partition(":")
        if not mark:
            yield one
        elif name.lower() == platform:
            yield bare


def _bare(levels: Mapping[str, Words], platform: str) -> dict[str, list[Words]]:
    found: dict[str, list[Words]] = {}
    for name, words in levels.items():
        for bare in _on([name], platform):
            found.setdefault(bare, []).append(words)
    return found


def _compiled(levels: Mapping[str, WordLevel]) -> dict[str, Words]:
    return {name: words for name, level in levels.items() if (words := _words(level))}


def _words(level: WordLevel) -> Words:
    return Words(level.plain, level.regex)


def _urls(listed: UrlSet) -> UrlList:
    return UrlList(listed.exact, listed.domain_suffix, listed.regex)
