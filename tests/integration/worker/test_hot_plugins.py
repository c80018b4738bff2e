"""A running worker follows the files of its plugins, and what is wanted of them everywhere."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.worker.composed import composed, message, said
from tests.integration.worker.support import KEYS, Stage, WorkerProcess, until

from botmatrix.bus.plugins import PluginsBox
from botmatrix.core.plugins import Cell, in_safe_mode, reloaded, switched, with_cells

CODE = """
from botmatrix import Plugin

plugin = Plugin(id="dice", version="{version}")

@plugin.command("roll")
async def roll(ctx):
    return "{version}"
"""


@pytest.fixture
async def worker(stage: Stage, home: Path) -> AsyncIterator[WorkerProcess]:
    async with composed(stage, home, dice=CODE.format(version=1)) as worker:
        yield worker


async def told(stage: Stage, plugin: str = "dice") -> dict[str, Any]:
    """What the worker told of a plugin."""
    found = msgspec.json.decode(await stage.redis.call("GET", KEYS.worker_plugins("w1")) or b"[]")
    return next((one for one in found if one["id"] == plugin), {})


async def has(stage: Stage, **fields: object) -> None:
    """Wait until the worker tells this of the plugin."""

    async def is_so() -> bool:
        one = await told(stage)
        return all(one.get(name) == value for name, value in fields.items())

    await until(is_so)


@pytest.mark.usefixtures("worker")
async def test_an_edit_is_seen_within_two_seconds_and_a_broken_one_is_told(stage: Stage, home: Path) -> None:
    file, took = home / "plugins" / "dice.py", []
    for version in (2, 3, 4):
        began = time.monotonic()
        file.write_text(CODE.format(version=version))
        await has(stage, version=str(version), state="loaded")
        took.append(time.monotonic() - began)
    assert min(took) < 2, took
    file.write_text("def (")

    async def failed() -> bool:
        return "SyntaxError" in (await told(stage)).get("error", "")

    await until(failed)
    assert (await told(stage))["error_at"] > 0
    await stage.put("w1", message("/roll"))
    await stage.until_sent(1)
    assert await said(stage) == ["4"]
    file.unlink()
    await until(lambda: _gone(stage))


async def _gone(stage: Stage) -> bool:
    return not await told(stage)


@pytest.mark.usefixtures("worker")
async def test_a_new_file_is_a_new_plugin(stage: Stage, home: Path) -> None:
    (home / "plugins" / "cards.py").write_text(CODE.format(version=7).replace("dice", "cards").replace("roll", "deal"))
    await until(lambda: told(stage, "cards"))
    await stage.put("w1", message("/deal"))
    await stage.until_sent(1)
    assert await said(stage) == ["7"]


@pytest.mark.usefixtures("worker")
async def test_a_folder_that_is_moved_here_is_a_new_plugin(stage: Stage, home: Path, tmp_path: Path) -> None:
    making = home / "plugins" / ".making"
    making.mkdir()
    (making / "plugin.json").write_text('{"id": "cards"}')
    (making / "plugin.py").write_text(CODE.format(version=7).replace("dice", "cards").replace("roll", "deal"))
    making.rename(home / "plugins" / "cards")
    await until(lambda: told(stage, "cards"))


async def test_off_on_and_anew_as_it_is_wanted(stage: Stage, home: Path, worker: WorkerProcess) -> None:
    box = PluginsBox(stage.redis, KEYS)
    assert await box.replace(lambda wishes: switched(wishes, "dice", on=False))
    await has(stage, state="disabled")
    await stage.put("w1", message("/roll"), message("/echo off"))
    await stage.until_sent(1)
    assert await said(stage) == ["off"]
    assert await box.replace(lambda wishes: switched(wishes, "dice", on=True))
    await has(stage, state="loaded")
    before = (await told(stage))["since"]
    assert await box.replace(lambda wishes: reloaded(wishes, "dice"))

    async def newer() -> bool:
        return bool((await told(stage))["since"] > before)

    await until(newer)
    assert worker.process.returncode is None


async def test_what_is_off_stays_off_in_a_worker_that_starts_later(stage: Stage, home: Path) -> None:
    await PluginsBox(stage.redis, KEYS).replace(lambda wishes: switched(wishes, "dice", on=False))
    async with composed(stage, home, dice=CODE.format(version=1)):
        await has(stage, state="disabled")
        assert (home / "plugins.json").exists()


@pytest.mark.usefixtures("worker")
async def test_a_cell_of_the_matrix_keeps_a_plugin_from_hearing_somebody(stage: Stage, home: Path) -> None:
    box, cell = PluginsBox(stage.redis, KEYS), Cell(plugin="dice", user="qq:42")
    assert await box.replace(lambda wishes: with_cells(wishes, [cell]))
    await until(lambda: _follows(home))
    await stage.put("w1", message("/roll"), message("/roll", user=43))
    await stage.until_settled("w1")
    assert await said(stage) == ["1"]


async def _follows(home: Path) -> bool:
    """The copy of what is wanted is written once the worker goes by it."""
    return (home / "plugins.json").exists()


async def test_in_safe_mode_only_what_comes_along_runs(stage: Stage, home: Path, worker: WorkerProcess) -> None:
    box = PluginsBox(stage.redis, KEYS)
    assert await box.replace(lambda wishes: in_safe_mode(wishes, on=True))
    await has(stage, state="disabled")
    await stage.put("w1", message("/roll"), message("/echo safe"))
    await stage.until_settled("w1")
    assert await said(stage) == ["safe"]
    (home / "plugins" / "cards.py").write_text(CODE.format(version=7).replace("dice", "cards"))
    await until(lambda: told(stage, "cards"))
    assert (await told(stage, "cards"))["state"] == "disabled"
    assert await box.replace(lambda wishes: in_safe_mode(wishes, on=False))
    await has(stage, state="loaded")
    assert worker.process.returncode is None


async def test_a_worker_may_start_in_safe_mode_by_itself(stage: Stage, home: Path) -> None:
    async with composed(stage, home, environ={"SAFE_MODE": "true"}, dice=CODE.format(version=1)):
        await has(stage, state="disabled")
        assert (await told(stage, "echo"))["state"] == "loaded"
