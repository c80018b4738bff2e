"""Who takes part in a simulated chat. Pure.

Each user of the console has a bot, people and groups of their own, on a platform of their own: nobody can speak as
somebody else's people, none of them is anybody on a real platform, and no rule for real ids meets them by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PLATFORM: Final = "sim"
NICKNAME: Final = "BotMatrix"
_PEOPLE: Final = ("Ann", "Bo", "陈晨", "Dmitri")
_GROUPS: Final = ("Tea room · 茶馆", "Workshop · 工坊")
_FIRST: Final = 1000
_EACH: Final = 100
"""Numbers that belong to one user of the console."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A bot, people and groups, by their numbers. Everybody is in every group."""

    bot: int
    people: Mapping[int, str]
    groups: Mapping[int, str]

    @property
    def key(self) -> str:
        """The bot as the matrix calls it."""
        return f"{PLATFORM}:{self.bot}"


def cast_of(user_id: int) -> Cast:
    """The cast of a user of the console; always the same."""
    base = (_FIRST + user_id) * _EACH
    people = {base + number: name for number, name in enumerate(_PEOPLE, 1)}
    groups = {base + number: name for number, name in enumerate(_GROUPS, 51)}
    return Cast(base, people, groups)


def is_simulated(bot: str) -> bool:
    """Whether a bot, as the matrix calls it, belongs to a chat window."""
    return bot.startswith(f"{PLATFORM}:")
