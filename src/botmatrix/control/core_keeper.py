"""The documents that control keeps: the judge's configuration, the policies of groups, what is wanted of plugins."""

from __future__ import annotations

from typing import Any

from botmatrix.bus.core import CoreBox
from botmatrix.bus.groups import GroupsBox
from botmatrix.bus.plugins import PluginsBox, PluginSettingsBox
from botmatrix.control.keeper import BY_CHAT, Keeper
from botmatrix.core.config import CoreConfig, difference
from botmatrix.core.config import parse as parse_core
from botmatrix.core.plugin_settings import PluginSettings
from botmatrix.core.plugin_settings import parse as parse_settings
from botmatrix.core.plugins import PluginWishes
from botmatrix.core.plugins import parse as parse_plugins
from botmatrix.routing.groups import GroupPolicies
from botmatrix.routing.groups import parse as parse_groups
from botmatrix.store.core import CoreDocuments, GroupDocuments, PluginDocuments, PluginSettingsDocuments
from botmatrix.store.operations import Change, Operations


class CoreKeeper(Keeper[CoreConfig]):
    """What the judge goes by. What chat administrators change is written into the operation log."""

    def __init__(self, box: CoreBox, documents: CoreDocuments, operations: Operations) -> None:
        super().__init__(box, documents, parse_core, CoreConfig())
        self._operations = operations

    async def taken_over(self, before: CoreConfig, after: CoreConfig) -> None:
        old, new = difference(before, after)
        await self._operations.write(Change(BY_CHAT, "chat", "core.change", "core", old, new))


class GroupsKeeper(Keeper[GroupPolicies]):
    """Which of several bots in a group answers."""

    def __init__(self, box: GroupsBox, documents: GroupDocuments) -> None:
        super().__init__(box, documents, parse_groups, GroupPolicies())


class PluginsKeeper(Keeper[PluginWishes]):
    """Which plugins are on, and where. What chat administrators change is written into the operation log."""

    def __init__(self, box: PluginsBox, documents: PluginDocuments, operations: Operations) -> None:
        super().__init__(box, documents, parse_plugins, PluginWishes())
        self._operations = operations

    async def taken_over(self, before: PluginWishes, after: PluginWishes) -> None:
        old, new = _cells(before, after), _cells(after, before)
        await self._operations.write(Change(BY_CHAT, "chat", "plugin.matrix", "", {"cells": old}, {"cells": new}))


class PluginSettingsKeeper(Keeper[PluginSettings]):
    """What plugins are filled with."""

    def __init__(self, box: PluginSettingsBox, documents: PluginSettingsDocuments) -> None:
        super().__init__(box, documents, parse_settings, PluginSettings())


def _cells(here: PluginWishes, there: PluginWishes) -> list[dict[str, Any]]:
    """What only the first says of places."""
    known = set(there.matrix)
    return [cell.model_dump() for cell in here.matrix if cell not in known]
