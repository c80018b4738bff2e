"""The worker as it is composed: settings, plugins, lanes, signals."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.integration.worker.support import BOT, KEYS, Stage, WorkerProcess, until

from botmatrix.bus.envelope import Envelope, decode_action
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

PROGRAM = """
import os, sys, uvloop
from pathlib import Path
from botmatrix import config
from botmatrix.worker import app
uvloop.run(app.run(config.Current(config.load(Path(sys.argv[1]), {}, os.environ))))
"""


@pytest.fixture
async def worker(stage: Stage, home: Path, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """A worker with the built-in plugins and one that blocks, as `botmatrix worker` runs it."""
    (home / "plugins").mkdir()
    (home / "plugins" / "sleeper.py").write_text(PLUGIN)
    log = tmp_path / "worker.log"
    environ = {"REDIS_URL": stage.url, "WORKER_ID": "w1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, str(home)), env=environ, stdout=output, stderr=output
        )
    worker = WorkerProcess("w1", process, log)

    async def announced() -> bool:
        assert process.returncode is None, worker.output()
        return bool(await stage.presence("w1"))

    try:
        await until(announced)
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_command_is_answered_and_sigterm_ends_the_worker_in_order(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", _message("/echo hello"))
    await stage.until_sent(1)
    (entry,) = await stage.redis.call("XRANGE", KEYS.orphans, "-", "+")
    assert b"hello" in bytes(decode_action(entry[1][1]).params)
    assert (await stage.presence("w1"))["transport"] == "stream"
    worker.process.terminate()
    assert await worker.end() == 0, worker.output()
    assert await stage.owner("w1") == ""
    assert await stage.presence("w1") == {}


async def test_a_plugin_that_blocks_loses_its_own_event_only(stage: Stage, worker: WorkerProcess) -> None:
    await stage.put("w1", _message("/sleep"), _message("/echo hello"))
    await stage.until_sent(1)
    assert await stage.dead() == ["handler_blocked: sleeper.sleep"]
    assert worker.process.returncode is None


def test_an_id_that_cannot_stand_in_a_name_is_refused() -> None:
    for worker_id in ("", "a b", "a|b", "-a", "x" * 65, "default"):
        with pytest.raises(ConfigError):
            Options(worker_id=worker_id)


def _message(text: str) -> Envelope:
    event = {
        "time": int(time.time()),
        "self_id": 10001,
        "post_type": "message",
        "message_type": "private",
        "sub_type": "friend",
        "message_id": 1,
        "user_id": 42,
        "message": [{"type": "text", "data": {"text": text}}],
        "raw_message": text,
        "sender": {"user_id": 42, "nickname": "somebody"},
    }
    body = msgspec.Raw(json.dumps(event).encode())
    return Envelope(f"{hash(text) & 0xFFFFFFFF:024x}", BOT, "private:42", "n.00000000", 1, 0, body)
