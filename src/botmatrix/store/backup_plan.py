"""What a backup holds: every table is in one part, or left out for a reason; a test fails for any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table

from botmatrix.errors import BotMatrixError
from botmatrix.store.plugin_schemas import schema_of
from botmatrix.store.tables import Base

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "users": ("users", "api_keys", "user_bindings"),
    "rules": ("routing_rules", "group_policies"),
    "core": ("core_config",),
    "settings": ("settings",),
    "bots": ("bots", "groups", "bot_groups", "bot_access"),
    "audit": ("audit",),
    "alerts": ("alert_rules",),
    "tasks": ("tasks", "tags"),
    "plugins": ("plugin_values", "plugins", "plugin_settings", "plugin_packages", "plugin_package_parts"),
}
"""Part -> its tables; `--only` names parts."""

PLUGINS: Final = "tables"
"""The part of the tables that plugins have of their own; `tables:bank` are those of one plugin."""

ROWS: Final[Mapping[str, str]] = {"tasks": "NOT hidden"}
"""Table -> which of its rows are in a backup, and replaced by one. A hidden task stands for one call: of its moment."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "alerts": "they are of their moment: what still is wrong is raised again",
    "executions": "they are of their moment, as the tasks that stand for one call each",
    "login_sessions": "logins end with a restore: whoever was logged in logs in again",
    "messages": "what people said is kept for its days in one place only, and may be much",
    "traces": "as messages",
    "trace_position": "a place in the stream of the Redis that was in use then",
}


class UnknownPart(BotMatrixError):
    """A backup has no part of this name."""

    def __init__(self, name: str) -> None:
        parts = ", ".join(PARTS)
        super().__init__(
            f"there is no part {name!r}: the parts are {parts}, {PLUGINS}, and {PLUGINS}:bank of one plugin"
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the tables. `schemas`: those of plugins, None for all; `spared`: those of them that are left alone."""

    tables: list[Table]
    schemas: frozenset[str] | None = None
    spared: frozenset[str] = frozenset()

    def has(self, schema: str) -> bool:
        """Whether the tables of this plugin are meant."""
        return schema not in self.spared and (self.schemas is None or schema in self.schemas)


def choose(only: Sequence[str] = (), without: Sequence[str] = ()) -> Choice:
    """What these parts hold, all when there are none, but for those `without`. Raises `UnknownPart`."""
    taken, left = _Parts(only), _Parts(without)
    everything = not only
    names = ({name for tables in PARTS.values() for name in tables} if everything else taken.tables) - left.tables
    tables = [table for table in Base.metadata.sorted_tables if table.name in names]
    schemas = None if everything or taken.every_plugin else frozenset(taken.schemas)
    return Choice(tables, frozenset() if left.every_plugin else schemas, frozenset(left.schemas))


class _Parts:
    """Parts as somebody named them."""

    def __init__(self, parts: Sequence[str]) -> None:
        self.tables: set[str] = set()
        self.schemas: set[str] = set()
        self.every_plugin = PLUGINS in parts
        for part in parts:
            kind, _, plugin = part.partition(":")
            if kind == PLUGINS and plugin:
                self.schemas.add(schema_of(plugin))
            elif part in PARTS:
                self.tables.update(PARTS[part])
            elif part != PLUGINS:
                raise UnknownPart(part)
