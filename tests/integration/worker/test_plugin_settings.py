"""A running worker goes by the settings that are wanted of its plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.worker.composed import composed, message, put_apart, said
from tests.integration.worker.support import KEYS, Stage, until

from botmatrix.bus.plugins import PluginSettingsBox
from botmatrix.core.plugin_settings import PluginSettings, with_values

CODE = """
from botmatrix import Plugin
from pydantic import BaseModel

class Config(BaseModel):
    word: str = "hi"

plugin = Plugin(id="greeter", config=Config)

@plugin.command("greet")
async def greet(ctx):
    return ctx.config.word
"""


async def want(stage: Stage, version: int, word: Any, *, quietly: bool = False) -> None:
    """Publish settings; `quietly`: so that nobody is told."""
    document = with_values(PluginSettings(), "greeter", {"word": word})
    one = document.of("greeter").model_copy(update={"version": version})
    body = PluginSettings(plugins={"greeter": one}).to_json()
    if quietly:
        await stage.redis.call("MSET", KEYS.plugin_settings_version, version, KEYS.plugin_settings, body)
    else:
        box = PluginSettingsBox(stage.redis, KEYS)
        assert await box.write(body, expected=await box.version(), version=version)


async def tells(stage: Stage, version: int, *, error: bool = False) -> None:
    """Wait until the worker goes by this version, and whether it refused a newer one."""

    async def is_so() -> bool:
        told = msgspec.json.decode(await stage.redis.call("GET", KEYS.worker_plugins("w1")) or b"[]")
        one = next(found for found in told if found["id"] == "greeter")
        return (one["settings_version"], bool(one["settings_error"])) == (version, error)

    await until(is_so, timeout=30)


@pytest.mark.parametrize("apart", [False, True], ids=["in the worker", "in a process of its own"])
async def test_settings_come_while_it_runs_and_are_known_after_a_start_without_them(
    stage: Stage, home: Path, apart: bool
) -> None:
    plugins: Any = {} if apart else {"greeter": CODE}
    if apart:
        put_apart(home, "greeter", CODE)
    async with composed(stage, home, **plugins):
        await want(stage, 1, "moin")
        await tells(stage, 1)
        await stage.put("w1", message("/greet"))
        await stage.until_sent(1)
        await want(stage, 2, "ho", quietly=True)  # the signal was lost
        await tells(stage, 2)
        await want(stage, 3, 7)  # no text: refused
        await tells(stage, 2, error=True)
        await stage.put("w1", message("/greet"))
        await stage.until_sent(2)
        assert await said(stage) == ["moin", "ho"]
        await want(stage, 4, "tschüs")
        await tells(stage, 4)
    await stage.redis.call("DEL", KEYS.plugin_settings, KEYS.plugin_settings_version)
    async with composed(stage, home, **plugins):
        await stage.put("w1", message("/greet"))
        await stage.until_sent(3)
        assert (await said(stage))[-1] == "tschüs"
    copy = home / "plugin_settings.json"
    assert copy.stat().st_mode & 0o777 == 0o600
