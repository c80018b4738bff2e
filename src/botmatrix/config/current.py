"""The settings of a process that runs: hot ones follow the database, the others wait for a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from botmatrix.config.merge import STORABLE, resolve
from botmatrix.config.settings import Settings
from botmatrix.config.stored import Stored

_HOT = tuple(key for key, option in STORABLE.items() if option.hot)
_COLD = tuple(key for key, option in STORABLE.items() if not option.hot)


class Current:
    """`running` is in effect; `wanted` is what a start would make of the database now."""

    def __init__(self, settings: Settings) -> None:
        self.running = self.wanted = settings
        self._listeners: list[Callable[[Settings], None]] = []

    def watch(self, listener: Callable[[Settings], None]) -> None:
        """Have `listener` called with the settings in effect, now and whenever a hot one has changed."""
        self._listeners.append(listener)
        listener(self.running)

    def take(self, stored: Stored) -> bool:
        """Put hot settings into effect; whether any changed. Raises `ConfigError`, and then changes nothing."""
        wanted = resolve(self.running.inputs, stored)
        hot: dict[str, Any] = {key: getattr(wanted, key) for key in (*_HOT, "bound")}
        sources = {key: found for key, found in self.running.sources.items() if key not in _HOT}
        sources |= {key: wanted.sources[key] for key in _HOT if key in wanted.sources}
        changed = any(getattr(self.running, key) != value for key, value in hot.items())
        self.wanted = wanted
        self.running = dataclasses.replace(self.running, **hot, sources=sources)
        if changed:
            for listener in self._listeners:
                listener(self.running)
        return changed

    @property
    def pending(self) -> tuple[str, ...]:
        """Keys whose new value needs a restart."""
        return tuple(key for key in _COLD if getattr(self.wanted, key) != getattr(self.running, key))
