"""What a plugin may have bots do."""

from __future__ import annotations

from collections.abc import Collection

from botmatrix.sdk.plugin import Plugin
from botmatrix.sdk.services import PluginSettings


def grants(plugin: Plugin, settings: PluginSettings) -> Collection[str]:
    """What it asks for; of that, where the setting `plugin_grants` names the plugin, what it says.

    A plugin in a process of its own is judged by its broker, which knows the other names of actions too.
    """
    if plugin.is_isolated:
        return ("*",)
    named = [
        action for name, _, action in (grant.partition(":") for grant in settings.plugin_grants) if name == plugin.id
    ]
    if not named or "*" in named:
        return plugin.permissions
    return named if "*" in plugin.permissions else plugin.permissions.intersection(named)
