"""Which plugin blocks the loop: told from the stack, by the modules that plugins were loaded into."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

_plugins: dict[str, str] = {}


class PluginBlocked(BaseException):
    """Raised in the main thread by the watchdog, in the frame of a plugin that blocks; fails that handler.

    No `Exception`, so that a plugin's `except Exception` does not swallow it.
    """


def claim_module(module: str, plugin: str) -> Callable[[], object]:
    """Say that this module, and what is below it, is the plugin's. The result takes it back."""
    _plugins[module] = plugin
    return lambda: _plugins.pop(module, None)


def blocking_plugin(frame: FrameType | None) -> str | None:
    """Id of the plugin whose code is innermost on this stack; None when there is none."""
    while frame is not None:
        plugin = _owner(frame.f_globals.get("__name__"))
        if plugin is not None:
            return plugin
        frame = frame.f_back
    return None


def blame(frame: FrameType | None) -> PluginBlocked | None:
    """What to raise in the plugin that blocks the loop; None when no plugin does."""
    plugin = blocking_plugin(frame)
    return None if plugin is None else PluginBlocked(plugin)


def _owner(module: object) -> str | None:
    name = module if isinstance(module, str) else ""
    while name:
        if name in _plugins:
            return _plugins[name]
        name = name.rpartition(".")[0]
    return None
