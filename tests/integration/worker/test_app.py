"""The worker as it is composed: settings, plugins, lanes, signals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.worker.composed import composed, message
from tests.integration.worker.support import KEYS, Stage, WorkerProcess

from botmatrix.bus.envelope import decode_action
from botmatrix.errors import ConfigError
from botmatrix.worker.options import Options

PLUGIN = """
import time
from botmatrix import Plugin

plugin = Plugin(id="sleeper", name="Sleeper", version="1.0.0")

@plugin.command("sleep")
async def sleep(ctx):
    time.sleep(60)
"""


@pytest.fixture
async def worker(stage: Stage, home: Path) -> AsyncIterator[WorkerProcess]:
    """A worker with the built-in plugins and one that blocks."""
    async with composed(stage, home, sleeper=PLUGIN) as worker:
        yield worker


async def test_a_command_is_answered_and_sigterm_ends_the_worker_in_order(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", message("/echo hello"))
    await stage.until_sent(1)
    (entry,) = await stage.redis.call("XRANGE", KEYS.orphans, "-", "+")
    assert b"hello" in bytes(decode_action(entry[1][1]).params)
    assert (await stage.presence("w1"))["transport"] == "stream"
    worker.process.terminate()
    assert await worker.end() == 0, worker.output()
    assert await stage.owner("w1") == ""
    assert await stage.presence("w1") == {}


async def test_a_plugin_that_blocks_loses_its_own_event_only(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", message("/sleep"), message("/echo hello"))
    await stage.until_sent(1)
    assert await stage.dead() == ["handler_blocked: sleeper.sleep"]
    assert worker.process.returncode is None


def test_an_id_that_cannot_stand_in_a_name_is_refused() -> None:
    for worker_id in ("", "a b", "a|b", "-a", "x" * 65, "default"):
        with pytest.raises(ConfigError):
            Options(worker_id=worker_id)
