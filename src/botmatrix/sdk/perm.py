"""What people may do. `from botmatrix import perm`, then `perm.ADMIN`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Permission(IntEnum):
    """Who may use a handler, from everybody to the few.

    `GROUP_ADMIN`: owner or administrator of the group in which it is said, as the bot's own event tells, and
    chat administrators. `ADMIN`, `OWNER`: chat administrators only (setting `chat_admins`), whatever the
    group says.
    """

    MEMBER = 0
    GROUP_ADMIN = 1
    ADMIN = 2
    OWNER = 3


def allows(permission: Permission, event: Mapping[str, Any], *, chat_admin: bool) -> bool:
    """Whether the person who caused this event may."""
    if chat_admin or permission is Permission.MEMBER:
        return True
    return permission is Permission.GROUP_ADMIN and _leads_group(event)


def _leads_group(event: Mapping[str, Any]) -> bool:
    sender = event.get("sender")
    role = sender.get("role") if isinstance(sender, dict) else None
    return bool(event.get("group_id")) and role in ("owner", "admin")
