"""A document that a process goes by, and its copy in HOME."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.plugins import PluginSettingsBox, PluginSettingsState
from botmatrix.config.home import Home
from botmatrix.core.plugin_settings import PluginSettings, with_values

KEYS = Keys()


@pytest.fixture
async def box(redis_url: str) -> AsyncIterator[PluginSettingsBox]:
    box = PluginSettingsBox(Client(redis_url, name="box"), KEYS)
    yield box
    await box.close()


async def test_what_is_in_force_is_already_copied(box: PluginSettingsBox, tmp_path: Path) -> None:
    file, state = tmp_path / "plugin_settings.json", PluginSettingsState(box, Home(tmp_path))
    copied: list[int] = []
    state.on_change = lambda _settings: copied.append(json.loads(file.read_text())["version"])
    settings = PluginSettings()
    for version, word in enumerate(("moin", "tschüs"), 1):
        settings = with_values(settings, "greeter", {"word": word})
        assert await box.write(settings.to_json(), expected=version - 1, version=version)
        await state.look()
    assert copied == [1, 2]
    after_a_crash = PluginSettingsState(box, Home(tmp_path))
    after_a_crash.restore()
    assert (after_a_crash.version, after_a_crash.value) == (2, settings)


async def test_a_document_that_can_not_be_copied_is_in_force(box: PluginSettingsBox, tmp_path: Path) -> None:
    state = PluginSettingsState(box, Home(tmp_path / "nowhere"))
    assert await box.write(PluginSettings().to_json(), expected=0, version=1)
    await state.look()
    assert state.version == 1
