"""Which skills somebody at the console sees and may call."""

from __future__ import annotations

from typing import Final

from botmatrix.errors import BotMatrixError
from botmatrix.skills.permission import SkillPermission
from botmatrix.store.tables import Role

_SEES: Final = {
    SkillPermission.PUBLIC: Role.VIEWER,
    SkillPermission.MEMBER: Role.VIEWER,
    SkillPermission.ADMIN: Role.ADMIN,
    SkillPermission.OWNER: Role.OWNER,
    SkillPermission.OFF: Role.ADMIN,
}


class NotPermitted(BotMatrixError):
    """Somebody may not call this skill."""

    def __init__(self, skill: str, permission: SkillPermission | None) -> None:
        if permission is SkillPermission.OFF:
            why = "it is switched off (skill_permissions)"
        elif permission is None:
            why = "no worker has it now, so only an owner may call it"
        else:
            why = f"it needs the role {permission.value}"
        super().__init__(f"you may not call the skill {skill}: {why}")


def sees(permission: SkillPermission, role: Role) -> bool:
    """Whether a skill is shown to a role."""
    return role.covers(_SEES[permission])


def may_call(permission: SkillPermission, role: Role) -> bool:
    """Whether a role may call a skill."""
    return permission is not SkillPermission.OFF and role.covers(Role.OPERATOR) and sees(permission, role)
