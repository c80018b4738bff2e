"""Who may use a skill."""

from __future__ import annotations

import pytest

from botmatrix.skills.permission import SkillPermission, SkillPermissions, Speaker, may_say

MEMBER, ANONYMOUS = Speaker("group", "normal", False), Speaker("group", "anonymous", False)
FRIEND, STRANGER = Speaker("private", "friend", False), Speaker("private", "group", False)
COMMANDER = Speaker("private", "other", True)
EVERYBODY = {MEMBER, ANONYMOUS, FRIEND, STRANGER, COMMANDER}


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        ("public", EVERYBODY),
        ("member", {MEMBER, FRIEND, COMMANDER}),
        ("admin", {COMMANDER}),
        ("owner", {COMMANDER}),
        ("off", set[Speaker]()),
    ],
)
def test_who_may_in_chat(permission: str, allowed: set[Speaker]) -> None:
    assert {one for one in EVERYBODY if may_say(SkillPermission(permission), one)} == allowed


def test_an_administrator_decides_before_the_plugin_and_nothing_said_means_admin() -> None:
    permissions = SkillPermissions(["weather:off", "a.b:public"])
    assert permissions.of("weather", "public") == "off"
    assert permissions.of("a.b", "") == "public"
    assert permissions.of("other", "member") == "member"
    assert permissions.of("other", "") == permissions.of("other", "everyone!") == "admin"


def test_stricter_permissions_rank_higher() -> None:
    assert sorted(SkillPermission, key=lambda one: one.rank) == ["public", "member", "admin", "owner", "off"]
