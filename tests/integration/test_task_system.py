"""Tasks on real processes: two nexuses that are paused and killed, and a bot that counts what it is asked to do."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import redis
from tests.conftest import ValkeyProcess
from tests.integration.test_restart import Matrix
from tests.postgres import run_apart
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from botmatrix.bus.keys import Keys

KEYS = Keys()
TWO_LEASES = 20.0
FIRES, SECONDS = 1000, 45
SAY: dict[str, Any] = {"bot_id": "qq:10001", "group_id": "77", "message": "hi"}
TASK: dict[str, Any] = {
    **{"name": "t", "type": "cron", "trigger_config": {"cron": "0 0 1 1 *"}},
    **{"action_type": "send_message", "action_params": SAY},
}


class Bot:
    """Counts what it is asked to say; answers at once, or when it is let."""

    def __init__(self, port: int, token: str) -> None:
        headers = {"X-Self-ID": "10001", "Authorization": f"Bearer {token}"}
        self._stack = ExitStack()
        link = connect(f"ws://127.0.0.1:{port}/onebot/v11/ws", additional_headers=headers, proxy=None)
        self._link = self._stack.enter_context(link)
        self.said: Counter[str] = Counter()
        self.actions: Counter[str] = Counter()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def hear(self, text: str, message_id: int) -> None:
        """Somebody says something in its group."""
        event = {
            **{"post_type": "message", "message_type": "group", "sub_type": "normal", "self_id": 10001},
            **{"time": 1_700_000_000, "group_id": 77, "user_id": 5, "message_id": message_id},
            **{"message": text, "raw_message": text, "sender": {"nickname": "x"}},
        }
        self._link.send(json.dumps(event))

    def close(self) -> None:
        self._stack.close()
        self._thread.join(10)

    def _listen(self) -> None:
        waiting: list[dict[str, Any]] = []
        with suppress(ConnectionClosed):
            while True:
                with suppress(TimeoutError):
                    action = json.loads(self._link.recv(timeout=0.1))
                    self._count(action)
                    waiting.append(action)
                asked = [one for one in waiting if one["action"].startswith("get_") or self.may_answer.is_set()]
                for action in asked:
                    self._answer(action)
                waiting = [one for one in waiting if one not in asked]

    def _count(self, action: dict[str, Any]) -> None:
        self.actions[action["action"]] += 1
        if action["action"] == "send_group_msg":
            self.said[str(action["params"]["message"])] += 1

    def _answer(self, action: dict[str, Any]) -> None:
        self._link.send(json.dumps({"status": "ok", "retcode": 0, "data": None, "echo": action["echo"]}))


class TaskMatrix(Matrix):
    """Two nexuses and control with the skill system on, and a bot at the second one."""

    def __init__(self, home: Path, redis_url: str, database_url: str) -> None:
        super().__init__(home, redis_url, database_url)
        self.environment["ENABLE_SKILL"] = "1"
        self.database_url = database_url
        self.redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self.bots: list[Bot] = []

    def bot(self) -> Bot:
        """A bot that is connected to the second nexus, as soon as that listens."""
        self.until(lambda: httpx.get(f"http://127.0.0.1:{self.ports[1]}/healthz"))
        self.bots.append(Bot(self.ports[1], self.client.get("/api/connect-info").json()["token"]))
        self.until(lambda: True if self.redis.hget(KEYS.bot("qq:10001"), "state") == "online" else None)
        return self.bots[-1]

    def make(self, **given: Any) -> int:
        answer = self.client.post("/api/tasks", json={**TASK, **given})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["task"]["id"])

    def states(self) -> Counter[str]:
        """How many executions are in each state."""
        rows = self.ask("SELECT status, count(*) AS n FROM executions GROUP BY 1")
        return Counter({row["status"]: row["n"] for row in rows})

    def over(self, states: dict[str, int]) -> bool:
        """Whether executions are in these states and no others; else `until` says in which."""
        assert self.states() == states, self.ask("SELECT error, count(*) FROM executions GROUP BY 1")
        return True

    def ask(self, question: str, *about: Any) -> list[asyncpg.Record]:
        async def asking() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return list(await connection.fetch(question, *about))
            finally:
                await connection.close()

        return run_apart(asking())

    def counted(self, name: str) -> list[int]:
        """What each nexus counted."""
        return [
            int(self.redis.hget(KEYS.nexus(str(inc)), f"count_{name}") or 0)
            for inc in self.redis.smembers(KEYS.nexuses)
        ]

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def end(self) -> None:
        for bot in self.bots:
            bot.close()
        self.redis.close()
        super().end()


@pytest.fixture
def matrix(home: Path, own_valkey: ValkeyProcess, database_url: str) -> Iterator[TaskMatrix]:
    found = TaskMatrix(home, own_valkey.url, database_url)
    try:
        for name in ("control", "n1", "n2"):
            found.start(name)
        found.ready(3)
        found.log_in()
        yield found
    finally:
        found.end()


def test_a_thousand_fires_while_a_nexus_is_paused_for_two_leases_are_neither_lost_nor_doubled(
    matrix: TaskMatrix,
) -> None:
    bot = matrix.bot()
    matrix.ask(
        "INSERT INTO tasks (name, type, action_type, action_params, hidden, creator, trigger_config, status,"
        " next_run_time) SELECT 't', 'cron', 'send_message',"
        " jsonb_build_object('bot_id', 'qq:10001', 'group_id', '77', 'message', 'fire ' || n), false, 'test',"
        """ '{"cron": "0 0 1 1 *"}', 'pending', now() + make_interval(secs => 2 + $2::float * n / $1)"""
        " FROM generate_series(1, $1) AS n",
        *(FIRES, SECONDS),
    )
    matrix.until(lambda: True if min(matrix.counted("tasks_fired")) > 0 else None)
    paused = matrix.running["n1"]
    os.kill(paused.pid, signal.SIGSTOP)
    time.sleep(TWO_LEASES)
    os.kill(paused.pid, signal.SIGCONT)
    before = matrix.counted("tasks_fired")
    matrix.until(lambda: matrix.over({"success": FIRES}), 240)
    assert bot.said == {f"fire {number}": 1 for number in range(1, FIRES + 1)}
    (row,) = matrix.ask("SELECT count(DISTINCT (task_id, cause)) AS fires, count(*) AS all FROM executions")
    assert (row["fires"], row["all"]) == (FIRES, FIRES)
    (row,) = matrix.ask("SELECT count(*) AS n FROM tasks WHERE next_run_time > now() AND status = 'pending'")
    assert row["n"] == FIRES, "each has its next moment"
    assert sum(before) < FIRES, "the schedule was still going on when it woke"


def test_executions_end_right_when_nexuses_are_killed_between_dispatch_and_result(matrix: TaskMatrix) -> None:
    bot = matrix.bot()
    bot.may_answer.clear()
    said = [matrix.make(action_params={**SAY, "message": f"m{number}"}) for number in range(20)]
    for task in said:
        assert matrix.client.post(f"/api/tasks/{task}/run").status_code == 200
    matrix.until(lambda: True if len(bot.said) == 20 else None)
    # The nexus without the bot is killed, whatever it had dispatched; the bot answers: all are done, none twice.
    matrix.kill("n1")
    bot.may_answer.set()
    matrix.until(lambda: matrix.over({"success": 20}))
    assert set(bot.said.values()) == {1}
    # The nexus with the bot is killed before the answer: the message was perhaps said, and is not said again.
    bot.may_answer.clear()
    perhaps = matrix.make(action_params={**SAY, "message": "perhaps"})
    muted = matrix.make(action_type="mute_group", action_params={"bot_id": 10001, "group_id": 77}, retry_delay=0.5)
    for task in (perhaps, muted):
        matrix.client.post(f"/api/tasks/{task}/run")
    matrix.until(lambda: True if bot.said["perhaps"] and bot.actions["set_group_whole_ban"] else None)
    matrix.kill("n2")
    for name in ("n1", "n2"):
        matrix.start(name)
    matrix.ready(3)
    again = matrix.bot()

    def ended(task: int) -> dict[str, Any] | None:
        found = matrix.client.get("/api/tasks/executions", params={"task_id": task}).json()["executions"][0]
        over = found["status"] in ("success", "dead") or (found["status"] == "failed" and not found["next_retry_time"])
        return found if over else None

    lost = matrix.until(lambda: ended(perhaps))
    assert (lost["status"], lost["error"].split(":")[0]) == ("failed", "perhaps done")
    # What can be done twice without harm is tried again.
    done = matrix.until(lambda: ended(muted))
    assert (done["status"], done["retry_count"] > 0) == ("success", True)
    assert (bot.said["perhaps"], again.said["perhaps"]) == (1, 0)


def test_conditions_answer_and_mute_once_each(matrix: TaskMatrix) -> None:
    bot = matrix.bot()
    matrix.make(
        type="condition", trigger_config={"event": "message", "keyword": "hello"}, action_params={"message": "hi"}
    )
    matrix.make(
        **{"type": "condition", "trigger_config": {"event": "message", "regex": "广+告", "group_id": 77}},
        **{"action_type": "mute_group", "action_params": {"user_id": "{user_id}", "duration": 60}},
    )
    call = {"skill": "no_such_skill", "said": "{text}"}
    asked = {"type": "condition", "trigger_config": {"event": "message", "keyword": "nul"}}
    matrix.make(**asked, action_type="skill_call", action_params=call)
    off = matrix.make(type="condition", trigger_config={"event": "message"}, action_params={"message": "off"})
    matrix.client.patch(f"/api/tasks/{off}", json={"status": "disabled"})

    def heard() -> bool | None:
        bot.hear("hello", time.time_ns() % 2**31)
        return True if bot.said["hi"] else None

    matrix.until(heard)
    time.sleep(3)  # the task that was paused is known to be paused by every nexus, and what was heard is answered
    before = Counter(bot.said)
    for text, message_id in (("nul\0", 4), ("卖广广告", 1), ("hello", 2), ("hello", 2), ("nothing", 3)):
        bot.hear(text, message_id)
    matrix.until(lambda: True if bot.said["hi"] == before["hi"] + 1 and bot.actions["set_group_ban"] else None)
    time.sleep(1)
    assert bot.said - before == {"hi": 1}
    assert bot.actions["set_group_ban"] == 1
    (kept,) = matrix.ask("SELECT params ->> 'said' AS said FROM executions WHERE action_type = 'skill_call'")
    assert kept["said"] == "nul\ufffd"
    causes = matrix.ask("SELECT cause FROM executions")
    assert all(row["cause"].startswith("event ") for row in causes)


def test_off_no_task_is_set_off_and_nothing_of_them_is_there(matrix: TaskMatrix) -> None:
    matrix.make(type="delayed", trigger_config={"delay": 3600})
    assert matrix.redis.pubsub_numsub(KEYS.tasks_changed)[0][1] == 2
    for name in ("n1", "n2"):
        matrix.kill(name)
    matrix.environment["ENABLE_SKILL"] = "0"
    matrix.ask("UPDATE tasks SET next_run_time = now()")
    for name in ("n1", "n2"):
        matrix.start(name)
    matrix.ready(3)
    assert matrix.redis.pubsub_numsub(KEYS.tasks_changed)[0][1] == 0
    time.sleep(3)
    assert matrix.states() == {}
    connections = matrix.ask("SELECT 1 FROM pg_stat_activity WHERE application_name = 'botmatrix-skills'")
    assert connections == []
