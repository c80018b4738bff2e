"""A worker as `botmatrix worker` runs it, with plugins of the test's own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from tests.integration.worker.support import BOT, KEYS, Stage, WorkerProcess, until

from botmatrix.bus.envelope import Envelope, decode_action
from botmatrix.onebot.message import Message

PROGRAM = """
import os, sys, uvloop
from pathlib import Path
from botmatrix import config
from botmatrix.worker import app
uvloop.run(app.run(config.Current(config.load(Path(sys.argv[1]), {}, os.environ))))
"""

_numbers = itertools.count(1)


@asynccontextmanager
async def launched(
    stage: Stage,
    home: Path,
    worker_id: str = "w1",
    environ: dict[str, str] | None = None,
    *,
    program: str = PROGRAM,
) -> AsyncIterator[WorkerProcess]:
    """Start one for the length of a block; what fails in it is shown with the worker's log."""
    log = home / f"worker-{next(_numbers)}.log"
    own = {"REDIS_URL": stage.url, "WORKER_ID": worker_id, "PYTHONPATH": os.pathsep.join(sys.path)}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, str(home)), env={**own, **(environ or {})}, stdout=output, stderr=output
        )
    worker = WorkerProcess(worker_id, process, log)
    try:
        yield worker
    except BaseException as error:
        error.add_note(f"{log.name}:\n{worker.output()[-8000:]}")
        raise
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def composed(
    stage: Stage, home: Path, worker_id: str = "w1", environ: dict[str, str] | None = None, **plugins: str
) -> AsyncIterator[WorkerProcess]:
    """Run one for the length of a block; `plugins`: name -> code."""
    (home / "plugins").mkdir(exist_ok=True)
    for name, code in plugins.items():
        (home / "plugins" / f"{name}.py").write_text(code)
    async with launched(stage, home, worker_id, environ) as worker:

        async def announced() -> bool:
            assert worker.process.returncode is None, worker.output()
            return (await stage.presence(worker_id)).get("pid") == str(worker.process.pid)

        await until(announced, timeout=60)
        yield worker


def put_apart(home: Path, name: str, code: str, **manifest: object) -> None:
    """Put a plugin there that has a process of its own."""
    folder = home / "plugins" / name
    folder.mkdir(parents=True)
    (folder / "plugin.json").write_text(json.dumps({"id": name, "isolation": "process", **manifest}))
    (folder / "plugin.py").write_text(code)


def message(text: str, *, user: int = 42) -> Envelope:
    """Somebody says something in private."""
    number = next(_numbers)
    event = {
        "time": int(time.time()),
        "self_id": 10001,
        "post_type": "message",
        "message_type": "private",
        "sub_type": "friend",
        "message_id": number,
        "user_id": user,
        "message": [{"type": "text", "data": {"text": text}}],
        "raw_message": text,
        "sender": {"user_id": user, "nickname": "somebody"},
    }
    body = msgspec.Raw(json.dumps(event).encode())
    return Envelope(f"{number:024x}", BOT, f"private:{user}", "n.00000000", 1, int(time.time() * 1000), body)


async def said(stage: Stage) -> list[str]:
    """What the bots were told to say, in order."""
    entries = await stage.redis.call("XRANGE", KEYS.orphans, "-", "+")
    params = [json.loads(bytes(decode_action(fields[1]).params)) for _, fields in entries]
    return [Message.parse(param["message"]).text for param in params]
