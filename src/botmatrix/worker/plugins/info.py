"""What is told of plugins: to the console, to `/help`, to `/status`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from botmatrix.sdk.handler import Trigger
from botmatrix.sdk.plugin import Plugin
from botmatrix.sdk.services import CommandInfo
from botmatrix.worker.plugins.blocked import interruptions
from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.source import Source
from botmatrix.worker.plugins.table import Bound


class PluginState(StrEnum):
    """Where a plugin stands."""

    LOADED = "loaded"
    DISABLED = "disabled"
    FAILED = "failed"


class PluginInfo(NamedTuple):
    """One plugin. `id` is the name of its source as long as it was never loaded.

    `error`: why it is not loaded, or why a newer version of it is not, since `error_at`; `since`: when it was loaded
    (both unix seconds). `draining`: older versions that still work on events.
    """

    id: str
    name: str
    version: str
    source: str
    state: PluginState
    error: str = ""
    description: str = ""
    permissions: tuple[str, ...] = ()
    process: Mapping[str, Any] | None = None
    """Of a plugin in a process of its own: state, pid, memory (bytes), restarts, what was refused, and more."""
    since: float = 0.0
    error_at: float = 0.0
    draining: int = 0
    shadowed: tuple[str, ...] = ()
    """What else has this id here, and does not serve."""
    settings_schema: Mapping[str, Any] | None = None
    """JSON Schema of its settings, if it has some."""
    refused: Mapping[str, int] | None = None
    """Actions that it may not have bots do, and how often it tried."""
    interrupted: int = 0
    interrupted_at: float = 0.0
    """How often it blocked the worker until it was interrupted, since the worker started, and when last."""
    settings_version: int = 0
    settings_error: str = ""
    """Why it goes by this version of its settings and not by a newer one."""

    @property
    def is_built_in(self) -> bool:
        """Whether BotMatrix brought it along."""
        return self.source.startswith("built-in ")


def loaded(plugin: Plugin, source: Source, since: float) -> PluginInfo:
    """Of a plugin that serves."""
    return PluginInfo(
        plugin.id,
        plugin.name,
        source.version or plugin.version,
        str(source),
        PluginState.LOADED,
        description=plugin.description,
        permissions=tuple(sorted(plugin.permissions)),
        since=since,
    )


def with_interruptions(info: PluginInfo) -> PluginInfo:
    """With how often it was interrupted."""
    times, last = interruptions(info.id)
    return info._replace(interrupted=times, interrupted_at=last) if times else info


def with_process(info: PluginInfo, figures: Figures) -> PluginInfo:
    """With what is known of its process now."""
    return info._replace(process=figures.now(), error=figures.error or info.error)


def absent(
    source: Source,
    id: str,
    state: PluginState,
    now: float,
    error: str = "",
    *,
    schema: Mapping[str, Any] | None = None,
) -> PluginInfo:
    """Of a plugin that does not serve."""
    found = PluginInfo(id, id, source.version, str(source), state, error, since=now, settings_schema=schema)
    return found._replace(error_at=now) if error else found


def command(bound: Bound) -> CommandInfo | None:
    """Of a handler, if it is a command."""
    handler = bound.handler
    if handler.trigger is not Trigger.COMMAND:
        return None
    name, *aliases = handler.words
    return CommandInfo(bound.app.id, name, tuple(aliases), handler.usage, handler.description, handler.permission)
