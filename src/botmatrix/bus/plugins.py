"""What is wanted of plugins, and their settings, in Redis, where every worker reads them."""

from __future__ import annotations

from collections.abc import Callable

from botmatrix.bus.client import Client
from botmatrix.bus.document_state import DocumentState
from botmatrix.bus.documents import DocumentBox, Place
from botmatrix.bus.keys import Keys
from botmatrix.config.home import Home
from botmatrix.core.plugin_settings import PluginSettings
from botmatrix.core.plugin_settings import parse as parse_settings
from botmatrix.core.plugins import PluginWishes, parse
from botmatrix.errors import EngineUnavailable

_TRIES = 10


class PluginsBox(DocumentBox):
    """Every method raises `EngineUnavailable` and `ReplyError`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        super().__init__(client, Place(keys.plugins_version, keys.plugins, keys.plugins_changed))

    async def replace(self, change: Callable[[PluginWishes], PluginWishes]) -> bool:
        """Change it everywhere; False when the change changes nothing. Raises `BadPlugins` too."""
        for _ in range(_TRIES):
            kept = await self.read()
            before, version = (parse(kept.document), kept.version) if kept else (PluginWishes(), 0)
            after = change(before)
            if after is before:
                return False
            if await self.write(after.to_json(), expected=version, version=version + 1):
                return True
        raise EngineUnavailable("the plugins' document", "it is being changed by others without a pause", "Try again")


class PluginsState(DocumentState[PluginWishes]):
    """The document as a worker holds it."""

    def __init__(self, box: PluginsBox, home: Home) -> None:
        super().__init__(box, home, "plugins.json", parse, PluginWishes())


class PluginSettingsBox(DocumentBox):
    """Every method raises `EngineUnavailable` and `ReplyError`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        place = Place(keys.plugin_settings_version, keys.plugin_settings, keys.plugin_settings_changed)
        super().__init__(client, place)


class PluginSettingsState(DocumentState[PluginSettings]):
    """The document as a worker holds it."""

    def __init__(self, box: PluginSettingsBox, home: Home) -> None:
        super().__init__(box, home, "plugin_settings.json", parse_settings, PluginSettings())
