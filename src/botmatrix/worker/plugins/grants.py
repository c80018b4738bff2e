"""What a plugin may have bots do."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from botmatrix.core.grants import allowed, grants_of
from botmatrix.core.plugins import Wish
from botmatrix.sdk.plugin import Plugin


def grants(plugin: Plugin, wish: Wish, setting: Iterable[str], *, packaged: bool) -> Collection[str]:
    """Of what it asks for, what an administrator or the setting `plugin_grants` says.

    A plugin in a process of its own is judged by its broker, which knows the other names of actions too.
    """
    if plugin.is_isolated:
        return ("*",)
    return allowed(plugin.permissions, grants_of(plugin.id, wish, setting, packaged=packaged))
