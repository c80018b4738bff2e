"""The settings of Python plugins in processes of their own: filled, exchanged and refused as those of any other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.plugins.conftest import FAST, TextRoom
from tests.integration.plugins.test_isolated import process
from tests.unit.plugins.fakes import Platform

from botmatrix.core.plugin_settings import Configured
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginInfo, PluginState
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source

CODE = """
    from botmatrix import Plugin
    from pydantic import BaseModel, Field, SecretStr

    class Config(BaseModel):
        word: str = "hi"
        times: int = Field(1, ge=1)
        key: SecretStr = SecretStr("")

    plugin = Plugin(id="mine", config=Config)

    @plugin.command("say")
    async def say(ctx):
        return " ".join([ctx.config.word] * ctx.config.times)

    @plugin.on_settings
    async def settled(app):
        if app.config.word == "never": raise OSError(app.config.word)
"""
NEEDED = """
    from botmatrix import Plugin
    from pydantic import BaseModel

    class Config(BaseModel):
        key: str

    plugin = Plugin(id="mine", config=Config)

    @plugin.command("say")
    async def say(ctx):
        return ctx.config.key
"""


@pytest.fixture
async def host(platform: Platform) -> AsyncIterator[Host]:
    host = Host(platform, Isolation(platform, pace=FAST))
    yield host
    await host.close()


async def load(host: Host, folder: Path, code: str) -> PluginInfo:
    path = folder / "mine"
    path.mkdir(exist_ok=True)
    (path / "plugin.json").write_text(json.dumps({"id": "mine", "isolation": "process"}))
    (path / "plugin.py").write_text(textwrap.dedent(code))
    return await host.load(Source("file", "mine", path))


async def configure(platform: Platform, host: Host, version: int, **values: object) -> PluginInfo:
    """New settings come; what is told of the plugin then."""
    platform.wanted["mine"] = Configured(version=version, values=values)
    await host.configure()
    return host.plugins[0]


async def test_they_are_filled_in_at_the_start_and_exchanged_later(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    platform.wanted["mine"] = Configured(version=1, values={"word": "moin"})
    info = await load(host, tmp_path, CODE)
    assert (info.state, info.settings_version) == (PluginState.LOADED, 1), info.error
    assert info.settings_schema is not None
    assert list(info.settings_schema["properties"]) == ["word", "times", "key"]
    room, pid = TextRoom(platform, host), process(host)["pid"]
    assert await room.say("/say") == ["moin"]
    info = await configure(platform, host, 2, word="ho", times=2)
    assert (info.settings_version, info.settings_error) == (2, "")
    assert await room.say("/say") == ["ho ho"]
    info = await configure(platform, host, 3, word="never")
    assert (info.settings_version, info.settings_error) == (3, "OSError in settled")
    assert await room.say("/say") == ["never"]
    assert process(host)["pid"] == pid


async def test_what_does_not_fit_leaves_the_last_ones_in_force_also_after_a_crash(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    await load(host, tmp_path, CODE)
    await configure(platform, host, 1, word="one")
    info = await configure(platform, host, 2, times=0, key=987654)
    assert (info.state, info.settings_version) == (PluginState.LOADED, 1)
    assert info.settings_error.startswith("its settings do not fit: times: ")
    assert "987654" not in info.settings_error
    room = TextRoom(platform, host)
    assert await room.say("/say") == ["one"]
    await crash(host)
    assert await room.say("/say") == ["one"]


async def crash(host: Host) -> None:
    """Kill its process, and wait for the next one."""
    before = process(host)["pid"]
    os.kill(before, signal.SIGKILL)
    async with asyncio.timeout(30):
        while process(host)["state"] != "running" or process(host)["pid"] == before:
            await asyncio.sleep(0.02)


async def test_one_that_needs_settings_is_loaded_when_they_come(platform: Platform, host: Host, tmp_path: Path) -> None:
    info = await load(host, tmp_path, NEEDED)
    assert (info.state, info.error) == (PluginState.FAILED, "its settings do not fit: key: Field required")
    assert info.settings_schema is not None
    info = await configure(platform, host, 1, key="k")
    assert info.state is PluginState.LOADED, info.error
    assert await TextRoom(platform, host).say("/say") == ["k"]


async def test_settings_that_came_while_its_process_was_away_are_there_after_it(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    await load(host, tmp_path, CODE)
    os.kill(process(host)["pid"], signal.SIGKILL)
    async with asyncio.timeout(30):
        while process(host)["pid"]:
            await asyncio.sleep(0)
    await configure(platform, host, 1, word="back")
    async with asyncio.timeout(30):
        while process(host)["state"] != "running":
            await asyncio.sleep(0.02)
    assert await TextRoom(platform, host).say("/say") == ["back"]


async def test_a_version_that_needs_more_leaves_the_old_one_serving(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    await load(host, tmp_path, CODE)
    info = await load(host, tmp_path, NEEDED)
    assert (info.state, info.error) == (PluginState.LOADED, "its settings do not fit: key: Field required")
    assert await TextRoom(platform, host).say("/say") == ["hi"]
