"""From the settings that are wanted to the models that plugins declare."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from pydantic import BaseModel, ValidationError

from botmatrix.core.plugin_settings import Configured
from botmatrix.sdk.plugin import Plugin
from botmatrix.worker.plugins.loader import LoadError

log = logging.getLogger(__name__)

LARGEST: Final = 64 * 1024
"""Bytes of a schema that is told; a plugin with more has no form in the console."""

UNFIT: Final = "its settings do not fit: "


class SettingsRefused(LoadError):
    """A plugin's model does not take the settings that are wanted; `schema` is its form, `plugin` its id."""

    def __init__(self, plugin: str, reason: str, schema: Mapping[str, Any] | None) -> None:
        self.plugin, self.schema = plugin, schema
        super().__init__(f"{UNFIT}{reason}")


def filled(plugin: Plugin, wanted: Configured) -> BaseModel | None:
    """The plugin's model with these values; None when it declares none. Raises `SettingsRefused`."""
    if plugin.config is None:
        return None
    try:
        return plugin.config.model_validate(wanted.values)
    except ValidationError as error:
        raise SettingsRefused(plugin.id, _words(error), schema_of(plugin)) from None
    except BaseException as error:  # of a validator of its own
        log.error("plugin %s: its settings can't be looked at", plugin.id, exc_info=error)
        raise SettingsRefused(plugin.id, f"a validator raised {type(error).__name__}", schema_of(plugin)) from None


def schema_of(plugin: Plugin) -> Mapping[str, Any] | None:
    """The form of a plugin's settings; None without settings, or when it can't be told."""
    if plugin.config is None:
        return None
    try:
        schema = plugin.config.model_json_schema()
        size = len(msgspec.json.encode(schema))
    except Exception as error:
        log.warning("the settings of plugin %s have no form: %s", plugin.id, error)
        return None
    if size > LARGEST:
        log.warning("the settings of plugin %s have a form of %d bytes, which is too large to show", plugin.id, size)
        return None
    return schema


def _words(error: ValidationError) -> str:
    """Values are not repeated: they may be secret."""
    found = error.errors(include_input=False, include_url=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg']}" for one in found)[:500]
