"""What a backup holds: every table is in one part, or left out for a reason; a test fails for any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Table

from botmatrix.errors import BotMatrixError
from botmatrix.store.tables import Base

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "users": ("users", "api_keys", "user_bindings"),
    "rules": ("routing_rules", "group_policies"),
    "core": ("core_config",),
    "settings": ("settings",),
    "bots": ("bots", "groups", "bot_groups", "bot_access"),
    "audit": ("audit",),
    "alerts": ("alert_rules",),
    "plugins": ("plugin_values", "plugins", "plugin_settings", "plugin_packages", "plugin_package_parts"),
}
"""Part -> its tables; `--only` names parts."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "alerts": "they are of their moment: what still is wrong is raised again",
    "executions": "they are of their moment, as the tasks that stand for one call each",
    "tasks": "a task that is put back later would do what has passed",
    "tags": "they are of use to tasks only",
    "login_sessions": "logins end with a restore: whoever was logged in logs in again",
    "messages": "what people said is kept for its days in one place only, and may be much",
    "traces": "as messages",
    "trace_position": "a place in the stream of the Redis that was in use then",
}


class UnknownPart(BotMatrixError):
    """A backup has no part of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no part {name!r}: the parts are {', '.join(PARTS)}")


def tables_of(parts: Sequence[str]) -> list[Table]:
    """The tables of these parts, of all when there are none, those that others refer to first. Raises `UnknownPart`."""
    for part in parts:
        if part not in PARTS:
            raise UnknownPart(part)
    wanted = {name for part in (parts or PARTS) for name in PARTS[part]}
    return [table for table in Base.metadata.sorted_tables if table.name in wanted]
