"""What a plugin raises, wherever: the worker and the plugin's other handlers go on."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.plugins.fakes import Platform, Talk, message, replies

from botmatrix.core.plugin_settings import Configured
from botmatrix.worker.outcome import Dead
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.source import Source

HEAD = """
import asyncio
from botmatrix import Plugin
from pydantic import BaseModel, model_validator

class Own(BaseException): ...

class Config(BaseModel):
    n: int = 1

plugin = Plugin(id="mine", config=Config)

@plugin.command("ok")
async def ok(ctx): return "ok"

"""
LOADED = {
    "shutdown": "@plugin.on_shutdown\nasync def down(app): {bad}",
    "undo": "@plugin.on_startup\nasync def up(app):\n    def undo(): {bad}\n    app.on_close(undo)",
    "timer": "@plugin.on_startup\nasync def up(app):\n    def fire(): {bad}\n    app.after(0, fire)",
    "settings": "@plugin.on_settings\nasync def changed(app): {bad}",
    "cron": "@plugin.cron('0 0 1 1 *')\nasync def tick(app): {bad}",
    "cron in a thread": "@plugin.cron('0 0 1 1 *')\ndef tick(app): {bad}",
    "handler": "@plugin.on_message('bad')\nasync def handle(ctx): {bad}",
    "handler in a thread": "@plugin.on_message('bad')\ndef handle(ctx): {bad}",
    "validator": (
        "class Picky(Config):\n    @model_validator(mode='after')\n    def check(self):\n"
        "        if self.n == 2: {bad}\n        return self\nplugin.config = Picky"
    ),
}
NOT_LOADED = {"import": "{bad}", "startup": "@plugin.on_startup\nasync def up(app): {bad}"}
BAD = (
    "raise SystemExit(3)", "raise KeyboardInterrupt", "raise Own", "raise asyncio.CancelledError", "raise KeyError(1)",
)  # fmt: skip


def source(folder: Path, code: str) -> Source:
    path = folder / "mine.py"
    path.write_text(HEAD + code)
    return Source("file", "mine", path)


def modules() -> list[str]:
    return [name for name in sys.modules if name.startswith("botmatrix_plugin_mine")]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", LOADED)
async def test_a_plugin_that_raises_anything_goes_on_and_can_be_unloaded(
    host: Host, platform: Platform, tmp_path: Path, place: str, bad: str
) -> None:
    info = await host.load(source(tmp_path, LOADED[place].format(bad=bad)))
    assert info.state is PluginState.LOADED
    await asyncio.sleep(0)  # timers
    platform.wanted["mine"] = Configured(version=2, values={"n": 2})
    await host.configure()
    with suppress(KeyError):
        await host.tick("mine.tick")
    talk = Talk(platform, host)
    assert isinstance(await talk.handle(message("bad")), Dead) == place.startswith("handler")
    assert replies(await talk.handle(message("/ok"))) == ["ok"]
    assert bool(host.plugins[0].settings_error) == (place in ("settings", "validator"))
    await host.unload("mine")
    assert modules() == []


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", NOT_LOADED)
async def test_a_plugin_that_raises_anything_while_it_is_loaded_is_not_loaded(
    host: Host, tmp_path: Path, place: str, bad: str
) -> None:
    info = await host.load(source(tmp_path, NOT_LOADED[place].format(bad=bad)))
    assert info.state is PluginState.FAILED
    assert bad.removeprefix("raise ").partition("(")[0].removeprefix("asyncio.") in info.error
    assert modules() == []
