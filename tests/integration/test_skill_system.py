"""The skill system on real processes: nexus, control and workers, each with its switch on or off."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis
from tests.conftest import ValkeyProcess
from tests.integration.test_restart import Matrix
from tests.integration.test_up import COMMAND
from tests.integration.worker.composed import message
from tests.postgres import run_apart

from botmatrix.bus.envelope import decode_action, encode
from botmatrix.bus.keys import Keys
from botmatrix.onebot.message import Message

KEYS = Keys()
CHANNELS = (KEYS.worker_register, KEYS.skill_result)
PLUGIN = """
import asyncio, os
from pathlib import Path
from botmatrix import Plugin, SkillFailed

plugin = Plugin(id="skills")


@plugin.skill("who", regex=r"^who is there( for (?P<ms>\\d+))?$", permission="member")
async def who(ms: int = 0) -> int:
    await asyncio.sleep(ms / 1000)
    return os.getpid()


@plugin.command("twice")
async def twice(ctx, ms: str):
    try:
        found = await asyncio.gather(ctx.call_skill("who", ms=ms), ctx.call_skill("who", ms=ms))
    except SkillFailed as error:
        return f"failed: {error.reason}"
    return " ".join(found)
"""


class SkillMatrix(Matrix):
    """One nexus, control, and workers of any names; `on` says who has the skill system on."""

    def __init__(self, home: Path, redis_url: str, database_url: str) -> None:
        super().__init__(home, redis_url, database_url)
        self.redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self.database_url = database_url
        (home / "plugins").mkdir()
        (home / "plugins" / "skills.py").write_text(PLUGIN)

    def begin(self, name: str, *, on: bool) -> None:
        """Start `nexus`, `control` or a worker."""
        words = {"nexus": ["nexus", "--port", str(self.ports[0])], "control": ["control", "--port", str(self.ports[2])]}
        environment = {**self.environment, "ENABLE_SKILL": "1" if on else "0"}
        with (self.home.parent / f"{name}.log").open("ab") as output:
            self.running[name] = subprocess.Popen(
                [*COMMAND, *words.get(name, ["worker", "run", "--id", name])],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def listeners(self) -> list[int]:
        return [count for _, count in self.redis.pubsub_numsub(*CHANNELS)]

    def database_connections(self) -> int:
        """Those of the skill system."""

        async def ask() -> int:
            connection = await asyncpg.connect(self.database_url)
            try:
                question = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'botmatrix-skills'"
                return int(await connection.fetchval(question))
            finally:
                await connection.close()

        return run_apart(ask())

    def results(self) -> list[str]:
        """Status of each result on the stream."""
        entries: Any = self.redis.xrange(KEYS.skill_results)
        return [json.loads(fields["payload"])["status"] for _, fields in entries]

    def skills(self) -> list[str]:
        found: dict[str, Any] = self.client.get("/api/skills").json()
        return [worker for one in found["skills"] for worker in one["workers"]]

    def call(self, **body: Any) -> dict[str, Any]:
        answer = self.client.post("/api/skills/who/call", json=body)
        found: dict[str, Any] = answer.json()
        return found

    def say(self, worker: str, text: str) -> str:
        """Put a message on a worker's lane; what is said in answer, though no bot is there to say it."""
        before = self.redis.xlen(KEYS.orphans)
        self.redis.xadd(KEYS.lane(worker), {"payload": encode(message(text))})
        self.until(lambda: self.redis.xlen(KEYS.orphans) > before or None)
        entries: Any = self.redis.xrevrange(KEYS.orphans, count=1)
        action = decode_action(entries[0][1]["payload"].encode())
        return Message.parse(json.loads(bytes(action.params))["message"]).text

    def status(self, execution: str) -> str:
        found = self.client.get("/api/tasks/executions", params={"execution_id": execution}).json()
        return str(found["executions"][0]["status"])


@pytest.fixture
def matrix(home: Path, own_valkey: ValkeyProcess, database_url: str) -> Iterator[SkillMatrix]:
    found = SkillMatrix(home, own_valkey.url, database_url)
    yield found
    found.redis.close()
    found.end()


def test_off_nothing_of_the_skill_system_exists_and_calls_are_declined(matrix: SkillMatrix) -> None:
    for name in ("nexus", "control", "w1"):
        matrix.begin(name, on=False)
    parts = matrix.ready(3)
    matrix.log_in()
    assert not any(one["skills"] for one in parts.values())
    assert matrix.listeners() == [0, 0]
    assert matrix.database_connections() == 0
    assert matrix.client.get("/api/skills").status_code == 409
    matrix.redis.xadd(KEYS.lane("w1"), {"payload": json.dumps({"type": "skill_call", "skill": "who"})})
    matrix.until(lambda: matrix.redis.xlen(KEYS.skill_results) or None)
    assert matrix.results() == ["declined"]
    matrix.begin("w2", on=True)
    matrix.until(lambda: matrix.redis.hget(KEYS.presence("w2"), "capabilities"))
    assert "enable_skill differs: on in w2" in str(matrix.client.get("/readyz").json()["warnings"])
    assert matrix.listeners() == [0, 0]


def test_a_gray_launch_and_calls_that_outlive_their_processes(matrix: SkillMatrix) -> None:
    for name in ("nexus", "control"):
        matrix.begin(name, on=True)
    matrix.begin("off", on=False)
    matrix.ready(3)
    matrix.log_in()
    assert matrix.listeners() == [1, 1]
    matrix.until(lambda: matrix.database_connections() or None)
    # On at the nexus, off at the only worker: nobody may do it, so it waits.
    early = matrix.call(wait=False)
    assert early["status"] == "pending"
    for name in ("w1", "w2"):
        matrix.begin(name, on=True)
    matrix.until(lambda: True if sorted(matrix.skills()) == ["w1", "w2"] else None)
    matrix.until(lambda: True if matrix.status(early["execution_id"]) == "success" else None)
    with ThreadPoolExecutor(8) as pool:
        calls = list(pool.map(lambda _: matrix.call(), range(200)))
    assert {one["status"] for one in calls} == {"success"}
    counts = Counter(one["worker_id"] for one in calls)
    assert set(counts) == {"w1", "w2"}
    assert min(counts.values()) > 60
    assert {int(one["result"]) for one in calls} == {matrix.running[name].pid for name in ("w1", "w2")}
    # A worker that was switched off meanwhile declines what is on its lane, and another one does it.
    matrix.kill("w1")
    late = [matrix.call(wait=False)["execution_id"] for _ in range(20)]
    matrix.begin("w1", on=False)
    for one in late:
        matrix.until(lambda one=one: True if matrix.status(one) == "success" else None)  # type: ignore[misc]
    assert "skill system is disabled" in matrix.log("w1")
    # The nexus is killed while a skill runs.
    running = matrix.call(params={"ms": 3000}, wait=False)["execution_id"]
    matrix.until(lambda: True if matrix.status(running) == "running" else None)
    matrix.kill("nexus")
    matrix.begin("nexus", on=True)
    matrix.until(lambda: True if matrix.status(running) == "success" else None)
    # The worker is killed while a skill runs: it runs again where the lane goes on.
    running = matrix.call(params={"ms": 2000}, wait=False)["execution_id"]
    matrix.until(lambda: True if matrix.status(running) == "running" else None)
    matrix.kill("w2")
    matrix.begin("w2", on=True)
    matrix.until(lambda: True if matrix.status(running) == "success" else None)
    assert "skill_call" not in matrix.log("off")


def test_plugins_call_skills_of_any_worker_and_a_call_outlives_its_caller(matrix: SkillMatrix) -> None:
    for name in ("nexus", "control", "w1", "w2"):
        matrix.begin(name, on=True)
    matrix.ready(4)
    matrix.log_in()
    matrix.until(lambda: True if sorted(matrix.skills()) == ["w1", "w2"] else None)
    found = {pid for _ in range(12) for pid in matrix.say("w1", "/twice 1").split()}
    assert found == {str(matrix.running[name].pid) for name in ("w1", "w2")}
    assert "ms: " in matrix.say("w1", "/twice many")
    executions = matrix.client.get("/api/tasks/executions").json()
    assert executions["total"] == 24
    assert executions["executions"][0]["status"] == "success"
    # The caller dies while it waits: it runs again, and gets what came of its first calls.
    matrix.redis.xadd(KEYS.lane("w1"), {"payload": encode(message("/twice 3000"))})
    matrix.until(lambda: True if matrix.client.get("/api/tasks/executions").json()["total"] == 26 else None)
    before = matrix.redis.xlen(KEYS.orphans)
    matrix.kill("w1")
    matrix.begin("w1", on=True)
    matrix.until(lambda: matrix.redis.xlen(KEYS.orphans) > before or None)
    assert matrix.client.get("/api/tasks/executions").json()["total"] == 26
    # More callers than a worker has slots, each with a call for that very worker.
    matrix.kill("w2")
    lane = KEYS.lane("w1")
    for _ in range(200):
        matrix.redis.xadd(lane, {"payload": encode(message("/twice 0"))})
    matrix.until(lambda: matrix.redis.xlen(KEYS.orphans) > before + 100 or None)


def test_off_a_plugin_is_told_so(matrix: SkillMatrix) -> None:
    for name in ("nexus", "control", "w1"):
        matrix.begin(name, on=False)
    matrix.ready(3)
    assert "skill system is off" in matrix.say("w1", "/twice 0")
