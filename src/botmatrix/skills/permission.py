"""Who may use a skill: what its plugin says, what an administrator sets instead, and who somebody is in a chat."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple


class SkillPermission(StrEnum):
    """From everybody to nobody.

    `PUBLIC`: whoever can write to a bot, strangers and anonymous members too. `MEMBER`: members of a group by name, and
    friends. `ADMIN`, `OWNER`: in chat those who command the hub; in the console users of that role and above. `OFF`:
    nobody.
    """

    PUBLIC = "public"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"
    OFF = "off"

    @property
    def rank(self) -> int:
        """Higher is stricter."""
        return _ORDER.index(self)


_ORDER: Final = tuple(SkillPermission)
DEFAULT: Final = SkillPermission.ADMIN
"""Of a skill about which nobody says anything."""


class Speaker(NamedTuple):
    """Somebody in a chat, as the bot's own event tells. `commander`: one of those who command the hub."""

    kind: str
    sub_type: str
    commander: bool


class SkillPermissions:
    """What administrators set (`NAME:PERMISSION`, setting `skill_permissions`), before what is declared."""

    def __init__(self, told: Iterable[str] = ()) -> None:
        pairs = (one.rpartition(":") for one in told)
        self._set = {name: read_permission(permission) for name, _, permission in pairs}

    def of(self, skill: str, declared: str) -> SkillPermission:
        """Who may use a skill, of which its worker says `declared`."""
        return self._set.get(skill) or read_permission(declared)


def strictest(told: SkillPermissions, declared: Iterable[tuple[str, str]]) -> dict[str, SkillPermission]:
    """Skill -> who may use it, of what workers declare (name, permission); where they differ the strictest counts."""
    found: dict[str, SkillPermission] = {}
    for name, permission in declared:
        one = told.of(name, permission)
        found[name] = max(one, found.get(name, one), key=lambda permission: permission.rank)
    return found


def read_permission(text: str) -> SkillPermission:
    """What a worker says; what can't be read lets nobody through but administrators."""
    try:
        return SkillPermission(text)
    except ValueError:
        return DEFAULT


def may_say(permission: SkillPermission, speaker: Speaker) -> bool:
    """Whether somebody may have a skill executed by what they say."""
    if permission is SkillPermission.OFF:
        return False
    if permission is SkillPermission.PUBLIC or speaker.commander:
        return True
    return permission is SkillPermission.MEMBER and _is_known(speaker)


def _is_known(speaker: Speaker) -> bool:
    if speaker.kind == "group":
        return speaker.sub_type != "anonymous"
    return speaker.kind == "private" and speaker.sub_type not in ("group", "other")
