"""The settings of a Python plugin in a process of its own: the worker says the values, its process fills the model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from botmatrix.core.plugin_settings import Configured
from botmatrix.worker.plugins.isolated.exchange import Exchange, PluginError
from botmatrix.worker.plugins.isolated.lines import Hello
from botmatrix.worker.plugins.settings import LARGEST, UNFIT, SettingsRefused

log = logging.getLogger(__name__)

SETTINGS: Final = "settings"
"""The message that carries them: a `request` when the process starts, an `event` with an answer later."""
PATIENCE: Final = 35.0
"""Seconds that it may take over new settings for."""


class Given:
    """Of one plugin. `schema`: the form of its settings, as its process told it; None without settings."""

    def __init__(self, plugin: str, exchange: Exchange) -> None:
        self._plugin, self._exchange = plugin, exchange
        self._wanted = Configured()
        self._good: Configured | None = None
        self.schema: Mapping[str, Any] | None = None

    def want(self, wanted: Configured) -> None:
        """What it is to have from its next start on."""
        self._wanted = wanted

    def greet(self) -> None:
        """Its process has started and waits for them."""
        greet(self._exchange, self._wanted)

    def told(self, hello: Hello) -> None:
        """What its process says of itself: those with which it does not start give way to the last good ones."""
        self.schema = _shown(self._plugin, hello.settings)
        if not hello.error:
            self._good = self._wanted
        elif hello.unfit and self._good is not None:
            self._wanted = self._good

    async def take(self, wanted: Configured) -> str:
        """Have it go by these; what went wrong then, if something did. Raises `SettingsRefused`.

        While its process is away they are for its next start.
        """
        try:
            with self._exchange.ask(SETTINGS, wanted.model_dump(), id=SETTINGS) as pending:
                said = await pending.next(PATIENCE)
        except PluginError:
            self._wanted = wanted
            return ""
        except TimeoutError:
            self._wanted = wanted
            return f"it has not taken its settings over in {PATIENCE:g} s"
        if not said.ok:
            raise SettingsRefused(self._plugin, said.error.removeprefix(UNFIT)[:500], self.schema)
        self._wanted = self._good = wanted
        return said.error[:500]


def greet(exchange: Exchange, wanted: Configured) -> None:
    """Tell the settings to a process that has just started."""
    exchange.tell("request", SETTINGS, wanted.model_dump(), "")


def _shown(plugin: str, schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if schema is not None and len(msgspec.json.encode(schema)) > LARGEST:
        log.warning("the settings of plugin %s have a form that is too large to show", plugin)
        return None
    return schema
