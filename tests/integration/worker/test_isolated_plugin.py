"""A plugin in a process of its own, in a whole worker: it answers, is listed, and ends with it."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
from tests.integration.plugins.children import write_isolated
from tests.integration.worker.composed import composed, message
from tests.integration.worker.support import KEYS, Stage

from botmatrix.bus.envelope import decode_action

APART = """
for m in messages():
    said = m["payload"]["text"]
    reply(m, *(["apart " + said] if said.startswith("hey") else []))
"""


async def test_it_answers_is_listed_and_ends_with_the_worker(stage: Stage, home: Path) -> None:
    (home / "plugins").mkdir(exist_ok=True)
    write_isolated(home / "plugins", APART, "apart")
    async with composed(stage, home) as worker:
        await stage.put("w1", message("hey"))
        await stage.until_sent(1)
        (entry,) = await stage.redis.call("XRANGE", KEYS.orphans, "-", "+")
        assert b"apart hey" in bytes(decode_action(entry[1][1]).params)
        told = json.loads(await stage.redis.call("GET", KEYS.worker_plugins("w1")))
        plugins = {plugin["id"]: plugin for plugin in told}
        assert (plugins["apart"]["process"]["state"], plugins["echo"]["process"]) == ("running", None)
        pid = plugins["apart"]["process"]["pid"]
        assert psutil.pid_exists(pid)
        worker.process.terminate()
        assert await worker.end() == 0, worker.output()
        assert not psutil.pid_exists(pid)
