"""Which plugin blocks the loop: told from the stack, by the modules that plugins were loaded into."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

from botmatrix.sdk.handler import Handler

_plugins: dict[str, str] = {}


class Interruptions(NamedTuple):
    """How often a plugin was interrupted since its process began; when last (unix s)."""

    times: int = 0
    last: float = 0.0


_interruptions: dict[str, Interruptions] = {}
_NEVER = Interruptions()


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
        plugin = _owner(_module(frame))
        if plugin is not None:
            return plugin
        frame = frame.f_back
    return None


def blame(frame: FrameType | None) -> PluginBlocked | None:
    """What to raise in the plugin that blocks the loop, which is counted; None when no plugin does."""
    plugin = blocking_plugin(frame)
    if plugin is None:
        return None
    _interruptions[plugin] = Interruptions(interruptions(plugin).times + 1, time.time())
    return PluginBlocked(plugin)


def interruptions(plugin: str) -> Interruptions:
    """Those of one plugin, over all its versions."""
    return _interruptions.get(plugin, _NEVER)


def _module(frame: FrameType) -> object:
    """Whose code runs in a frame: a plugin's expression is the plugin's, although it is searched here."""
    if frame.f_code is Handler.heard.__code__:
        return frame.f_locals["self"].function.__module__
    return frame.f_globals.get("__name__")


def _owner(module: object) -> str | None:
    name = module if isinstance(module, str) else ""
    while name:
        if name in _plugins:
            return _plugins[name]
        name = name.rpartition(".")[0]
    return None
