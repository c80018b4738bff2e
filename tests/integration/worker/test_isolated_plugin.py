"""A plugin in a process of its own, in a whole worker: it answers, is listed, ends with it, and asks across a crash."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
from tests.integration.plugins.children import write_isolated
from tests.integration.worker.composed import composed, message
from tests.integration.worker.support import KEYS, Stage
from tests.integration.worker.test_asking import hear
from tests.integration.worker.test_skills import call

from botmatrix.bus.envelope import decode_action

APART = """
for m in messages():
    said = m["payload"]["text"]
    reply(m, *(["apart " + said] if said.startswith("hey") else []))
"""

ASKING = """
waiting = {}
for m in messages():
    p = m["payload"]
    if m.get("correlation_id") in waiting:
        first = waiting.pop(m["correlation_id"])
        say(id=m["id"], ok=True, actions=[])
        reply(first, "so: " + p["text"])
    elif p["text"] == "ask":
        waiting["c" + m["id"]] = m
        prompt = {"type": "send_message", "target": p["from"], "target_id": p["group_id"], "text": "well?",
                  "correlation_id": "c" + m["id"], "payload": {"timeout": 60}}
        say(id=m["id"], ok=True, actions=[prompt], more=True)
    else:
        reply(m, "heard " + p["text"])
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


async def test_its_question_outlives_a_worker_that_is_killed(stage: Stage, home: Path) -> None:
    (home / "plugins").mkdir(exist_ok=True)
    write_isolated(home / "plugins", ASKING, "asking")
    async with composed(stage, home) as worker:
        await stage.put("w1", message("ask"))
        await hear(stage, "well?")
        worker.process.kill()
        await worker.end()
    await stage.put("w1", message("blue"))
    async with composed(stage, home):
        await hear(stage, "well?", "so: blue")
        await stage.until_settled("w1")
    assert await stage.dead() == []


HANGING = """
for m in messages():
    while m["payload"]["text"] == "hang": time.sleep(600)
"""


async def test_one_that_hangs_takes_no_place_of_the_others(stage: Stage, home: Path) -> None:
    (home / "plugins").mkdir(exist_ok=True)
    write_isolated(home / "plugins", HANGING, "hanging", timeout_ms=60_000)
    async with composed(stage, home, environ={"WORKER_CONCURRENCY": "2"}):
        await stage.put("w1", *(message("hang", user=number) for number in range(20)))
        await stage.put("w1", message("/echo still here", user=99))
        await hear(stage, "still here")


async def test_neither_does_one_whose_skill_hangs(stage: Stage, home: Path) -> None:
    code = "for m in messages():\n    while 'skill' in m['payload']: time.sleep(600)"
    skills = [{"name": "stay", "description": "Stays"}]
    (home / "plugins").mkdir(exist_ok=True)
    write_isolated(home / "plugins", code, "hanging", timeout_ms=60_000, skills=skills)
    async with composed(stage, home, environ={"WORKER_CONCURRENCY": "2", "ENABLE_SKILL": "1"}):
        await stage.put_raw("w1", *(call("stay", number) for number in range(10)))
        await stage.put("w1", message("/echo still here", user=99))
        await hear(stage, "still here")
