"""Which groups each bot is in, put where control finds it: once for each list that a bot sends."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from botmatrix.bus.connection import Argument
from botmatrix.bus.keys import Keys
from botmatrix.nexus.bot import Bot

KEEP = 7 * 86_400
NAME_LENGTH = 128


class _Published(NamedTuple):
    groups: dict[str, str]
    mark: str


class GroupLists:
    """Remembers which list was written for which bot."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._published: dict[str, _Published] = {}

    def mark(self, bot: Bot) -> str:
        """A digest of the list that was written last; empty before the first."""
        published = self._published.get(bot.key)
        return published.mark if published else ""

    def forget(self, bot: Bot) -> None:
        """Redis may have lost it: write it again with the next change."""
        self._published.pop(bot.key, None)

    def changed(self, bot: Bot) -> tuple[Argument, ...] | None:
        """The command that writes the bot's list; None when Redis has it. `mark` is the new one from now on."""
        published = self._published.get(bot.key)
        if not bot.groups or (published is not None and published.groups is bot.groups):
            return None
        body = msgspec.json.encode({group: name[:NAME_LENGTH] for group, name in bot.groups.items()})
        mark = hashlib.sha256(body).hexdigest()[:16]
        self._published[bot.key] = _Published(bot.groups, mark)
        return ("SET", self._keys.groups(bot.key), body, "EX", KEEP)
