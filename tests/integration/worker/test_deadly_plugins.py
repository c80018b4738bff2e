"""A plugin that ends its worker while it is loaded does so twice, not for ever."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.worker.composed import PROGRAM, composed, launched, message, said
from tests.integration.worker.support import KEYS, Stage, until

from botmatrix.bus.plugins import PluginsBox
from botmatrix.core.plugins import reloaded
from botmatrix.worker.watchdog import EXIT_BLOCKED

WELL = """
from botmatrix import Plugin

plugin = Plugin(id="well")

@plugin.command("well")
async def well(ctx):
    return "I am"
"""
HEAD = 'import ctypes, os\nfrom botmatrix import Plugin\nplugin = Plugin(id="bad", version="1")\n'
DEADLY = {
    "exits": HEAD + "os._exit(3)\n",
    "aborts": HEAD + "os.abort()\n",
    "crashes in its startup": HEAD + "@plugin.on_startup\ndef up(app):\n    ctypes.string_at(0)\n",
}


async def told(stage: Stage, plugin: str) -> dict[str, Any]:
    """What the worker told of a plugin."""
    found = msgspec.json.decode(await stage.redis.call("GET", KEYS.worker_plugins("w1")) or b"[]")
    return next((one for one in found if one["id"] == plugin), {})


async def dies(stage: Stage, home: Path) -> None:
    """A worker that starts now ends by itself."""
    async with launched(stage, home) as worker, asyncio.timeout(60):
        assert await worker.process.wait() not in (0, 1), worker.output()


@pytest.mark.parametrize("code", DEADLY.values(), ids=DEADLY)
async def test_it_is_not_loaded_a_third_time_and_the_others_are(stage: Stage, home: Path, code: str) -> None:
    (home / "plugins").mkdir()
    (home / "plugins" / "bad.py").write_text(code)
    await dies(stage, home)
    await dies(stage, home)
    async with composed(stage, home, well=WELL) as worker:
        await until(lambda: told(stage, "bad"))
        found = await told(stage, "bad")
        assert (found["state"], "twice" in found["error"]) == ("failed", True)
        assert "botmatrix plugin reload bad" in found["error"]
        assert "botmatrix plugin reload bad" in worker.output()
        await stage.put("w1", message("/well"))
        await stage.until_sent(1)
        assert await said(stage) == ["I am"]
        (home / "plugins" / "bad.py").write_text(HEAD)

        async def is_loaded() -> bool:
            return (await told(stage, "bad")).get("state") == "loaded"

        await until(is_loaded, timeout=30)


async def test_one_that_never_lets_go_of_the_loop_at_the_start_is_failed(stage: Stage, home: Path) -> None:
    (home / "plugins").mkdir()
    (home / "plugins" / "bad.py").write_text(HEAD + "while True: pass\n")
    (home / "plugins" / "well.py").write_text(WELL)
    program = PROGRAM.replace("uvloop.run(", "app.LOADING = 2\nuvloop.run(")
    async with launched(stage, home, program=program):
        await until(lambda: told(stage, "bad"), timeout=60)
        found = await told(stage, "bad")
        assert (found["state"], found["error"], found["interrupted"]) == ("failed", "PluginBlocked: bad", 1)
        assert (await told(stage, "well"))["state"] == "loaded"


async def test_one_that_can_not_be_interrupted_ends_the_worker_twice(stage: Stage, home: Path) -> None:
    (home / "plugins").mkdir()
    (home / "plugins" / "bad.py").write_text(HEAD + "sum(iter(int, 1))  # C code\n")
    program = PROGRAM.replace("uvloop.run(", "app.LOADING = 1\nuvloop.run(")
    for _ in range(2):
        async with launched(stage, home, program=program) as worker:
            assert await worker.end(timeout=60) in (EXIT_BLOCKED, -signal.SIGVTALRM)
    async with composed(stage, home):
        await until(lambda: told(stage, "bad"))
        assert (await told(stage, "bad"))["state"] == "failed"


async def test_by_hand_it_is_tried_again(stage: Stage, home: Path) -> None:
    (home / "plugins").mkdir()
    (home / "plugins" / "bad.py").write_text(DEADLY["exits"])
    await dies(stage, home)
    await dies(stage, home)
    async with composed(stage, home) as worker:
        await until(lambda: told(stage, "bad"))
        assert await PluginsBox(stage.redis, KEYS).replace(lambda wishes: reloaded(wishes, "bad"))
        assert await worker.end(timeout=60) == 3
    await dies(stage, home)
    async with composed(stage, home):
        await until(lambda: told(stage, "bad"))
        assert (await told(stage, "bad"))["state"] == "failed"
