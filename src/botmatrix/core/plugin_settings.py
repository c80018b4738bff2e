"""The settings of plugins, as they are wanted everywhere: for each plugin the values that its model is filled with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from botmatrix.core.plugins import BadPlugins, PluginId
from botmatrix.errors import BotMatrixError

LARGEST: Final = 64 * 1024
"""Bytes of JSON that the settings of one plugin may have."""
MOST: Final = 4 << 20
"""Bytes of JSON that the settings of all plugins may have together."""


class SettingsChanged(BotMatrixError):
    """Somebody else changed the settings of this plugin meanwhile."""


class Configured(BaseModel):
    """What one plugin is to be filled with. `version` rises with each change; 0: nothing was ever said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=0, le=2**53)] = 0
    values: dict[str, Any] = {}


class PluginSettings(BaseModel):
    """The whole document."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plugins: dict[PluginId, Configured] = {}

    def to_json(self) -> bytes:
        """The document as it is kept."""
        return json.dumps(self.model_dump(), allow_nan=False, separators=(",", ":")).encode()

    def of(self, plugin: str) -> Configured:
        """What was said of one plugin."""
        return self.plugins.get(plugin, _NOTHING)


_NOTHING: Final = Configured()


def parse(document: bytes | str) -> PluginSettings:
    """A kept document. Raises `BadPlugins`."""
    try:
        return PluginSettings.model_validate_json(document)
    except ValidationError as error:
        raise BadPlugins(f"{error.error_count()} things are wrong with it") from None


def with_values(
    settings: PluginSettings, plugin: str, values: Mapping[str, Any], expected: int | None = None
) -> PluginSettings:
    """The document with these values in the place of all that was said of the plugin.

    Raises `BadPlugins`, and `SettingsChanged` when the version that it has is not the `expected` one.
    """
    before = settings.of(plugin)
    if expected not in (None, before.version):
        raise SettingsChanged(f"the settings of {plugin} are at version {before.version} by now: read them again")
    if _size(values) > LARGEST:
        raise BadPlugins(f"the settings of a plugin have at most {LARGEST // 1024} KiB")
    after = Configured(version=before.version + 1, values=dict(values))
    changed = settings.model_copy(update={"plugins": {**settings.plugins, plugin: after}})
    if len(changed.to_json()) > MOST:
        raise BadPlugins(f"the settings of all plugins have at most {MOST >> 20} MiB")
    return changed


def _size(values: Mapping[str, Any]) -> int:
    try:
        return len(json.dumps(values, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, RecursionError):
        raise BadPlugins("the settings hold something that JSON can't say") from None
