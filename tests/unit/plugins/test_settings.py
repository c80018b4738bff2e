"""A plugin's settings: filled when it is loaded, exchanged while it runs, refused when they do not fit."""

from __future__ import annotations

from pathlib import Path

from tests.unit.plugins.fakes import Platform, Room, write_plugin

from botmatrix.core.plugin_settings import Configured
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState

CODE = """
    from pydantic import BaseModel, Field, SecretStr

    class Config(BaseModel):
        word: str = "hi"
        times: int = Field(1, ge=1)
        key: SecretStr = SecretStr("")

    plugin = Plugin(id="mine", config=Config)
    told = []

    @plugin.command("say")
    async def say(ctx):
        return " ".join([ctx.config.word] * ctx.config.times)

    @plugin.on_settings
    async def settled(app):
        told.append(app.config.word)

    @plugin.command("told")
    async def tell(ctx):
        return ",".join(told) or "nothing"
"""
NEEDED = """
    from pydantic import BaseModel

    class Config(BaseModel):
        key: str

    plugin = Plugin(id="mine", config=Config)

    @plugin.command("key")
    async def key(ctx):
        return ctx.config.key
"""


async def test_settings_are_filled_in_at_the_start_and_exchanged_later(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    platform.wanted["mine"] = Configured(version=1, values={"word": "moin"})
    info = await host.load(write_plugin(tmp_path, CODE))
    room = Room(platform, host)
    assert await room.say("/say") == ["moin"]
    assert info.settings_schema is not None
    platform.wanted["mine"] = Configured(version=2, values={"word": "ho", "times": 3})
    await host.configure()
    assert await room.say("/say") == ["ho ho ho"]
    assert await room.say("/told") == ["ho"]
    assert host.plugins[0].settings_version == 2


async def test_settings_that_do_not_fit_leave_the_last_ones_in_force(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    await host.load(write_plugin(tmp_path, CODE))
    platform.wanted["mine"] = Configured(version=1, values={"times": 0, "key": 987654})
    await host.configure()
    assert await Room(platform, host).say("/say") == ["hi"]
    info = host.plugins[0]
    assert (info.settings_version, info.state) == (0, PluginState.LOADED)
    assert "times" in info.settings_error
    assert "987654" not in info.settings_error


async def test_a_plugin_that_needs_settings_is_loaded_when_they_come(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    info = await host.load(write_plugin(tmp_path, NEEDED))
    assert (info.state, info.error) == (PluginState.FAILED, "its settings do not fit: key: Field required")
    assert info.settings_schema is not None
    platform.wanted["mine"] = Configured(version=1, values={"key": "k"})
    await host.configure()
    assert await Room(platform, host).say("/key") == ["k"]


async def test_a_version_that_needs_more_settings_leaves_the_old_one_serving(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    await host.load(write_plugin(tmp_path, CODE))
    info = await host.load(write_plugin(tmp_path, NEEDED))
    assert info.state is PluginState.LOADED
    assert "Field required" in info.error
    assert info.settings_schema is not None
    assert list(info.settings_schema["properties"]) == ["key"]
    assert await Room(platform, host).say("/say") == ["hi"]
