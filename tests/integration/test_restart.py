"""Parts on their own, without `up`: settings of the database reach them, and they start again in their place."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from tests.conftest import ValkeyProcess, free_port
from tests.integration.test_up import COMMAND, ROOT
from websockets.sync.client import ClientConnection, connect

LIMIT = 60.0
T = TypeVar("T")


class Matrix:
    """Two nexuses, a worker and control as processes of their own, each with a log of its own."""

    def __init__(self, home: Path, redis_url: str, database_url: str) -> None:
        self.home, self.ports = home, [free_port() for _ in range(3)]
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.environment = {
            **kept,
            "PYTHONPATH": str(ROOT / "src"),
            "BOTMATRIX_HOME": str(home),
            "REDIS_URL": redis_url,
            "DATABASE_URL": database_url,
            "DEFAULT_ADMIN_PASSWORD": "correct horse battery",
            "PYTHONUNBUFFERED": "1",
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.ports[2]}", timeout=10)

    def start(self, name: str) -> None:
        """Start one part."""
        words = {
            "n1": ["nexus", "--port", str(self.ports[0])],
            "n2": ["nexus", "--port", str(self.ports[1])],
            "worker": ["worker", "run", "--id", "w1"],
            "control": ["control", "--port", str(self.ports[2])],
        }[name]
        with (self.home.parent / f"{name}.log").open("ab") as output:
            self.running[name] = subprocess.Popen(
                [*COMMAND, *words], env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    def log(self, name: str) -> str:
        return (self.home.parent / f"{name}.log").read_text(errors="replace")

    def parts(self) -> dict[str, dict[str, Any]]:
        """What `/readyz` says of each part that lives, by its name from start to start."""
        answer = self.client.get("/readyz").json()
        assert answer["ready"], answer
        return {one["part"] + one["id"].split(".")[0]: one for one in answer["parts"] if one["alive"]}

    def ready(self, count: int) -> dict[str, dict[str, Any]]:
        """Wait until so many parts live."""
        return self.until(lambda: found if len(found := self.parts()) == count else None)

    def until(self, look: Callable[[], T | None], limit: float = LIMIT) -> T:
        """Wait until `look` gives something, `limit` s at most."""
        deadline = time.monotonic() + limit
        while True:
            try:
                if (found := look()) is not None:
                    return found
            except (httpx.HTTPError, AssertionError, KeyError) as error:
                if time.monotonic() > deadline:
                    raise AssertionError(str(error)) from error
            assert time.monotonic() < deadline, {name: self.log(name)[-3000:] for name in self.running}
            time.sleep(0.1)

    def log_in(self) -> None:
        self.client.headers.pop("Authorization", None)
        answer = self.client.post("/api/login", json={"username": "admin", "password": "correct horse battery"})
        self.client.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def end(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.client.close()


@pytest.fixture
def matrix(home: Path, own_valkey: ValkeyProcess, database_url: str) -> Iterator[Matrix]:
    found = Matrix(home, own_valkey.url, database_url)
    try:
        for name in ("n1", "n2", "worker", "control"):
            found.start(name)
        found.ready(4)
        found.log_in()
        yield found
    finally:
        found.end()


def skill(matrix: Matrix) -> dict[str, Any]:
    found: dict[str, Any] = matrix.client.get("/api/admin/config").json()["config"]["enable_skill"]
    return found


def test_a_restart_puts_settings_into_effect_and_they_survive_a_kill(matrix: Matrix) -> None:
    before = matrix.parts()
    pids = {name: process.pid for name, process in matrix.running.items()}
    changed = matrix.client.post("/api/admin/config", json={"enable_skill": True, "log_level": "debug"})
    assert changed.json()["needs_restart"] == ["enable_skill"], changed.text
    asked = matrix.client.post("/api/admin/restart")
    assert asked.status_code == 202
    kinds = [one["part"] for one in asked.json()["parts"]]
    assert kinds == ["worker", "nexus", "nexus", "control"]

    def all_new() -> bool | None:
        found = matrix.parts()
        new = all(name in found and found[name]["started_at"] > old["started_at"] for name, old in before.items())
        return True if new and len(found) == 4 else None

    matrix.until(all_new)
    assert all(process.poll() is None and process.pid == pids[name] for name, process in matrix.running.items())
    in_force = skill(matrix)
    assert (in_force["value"], in_force["needs_restart"], in_force["source"]) == (True, False, "database")
    assert not [warning for warning in matrix.client.get("/readyz").json()["warnings"] if "enable_skill" in warning]
    opened = [time for name in ("n1", "n2") for time in stops_and_starts(matrix.log(name))]
    assert len(opened) == 2, "each nexus stopped once"

    for name, process in matrix.running.items():
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        matrix.start(name)
    matrix.ready(4)
    matrix.until(lambda: True if skill(matrix)["value"] is True else None)
    assert "enable_skill" not in json.dumps(matrix.client.get("/readyz").json()["warnings"])


def stops_and_starts(log: str) -> list[str]:
    return [line for line in log.splitlines() if "the nexus stops" in line]


def test_hot_settings_reach_every_process_at_once(matrix: Matrix) -> None:
    took = [
        seconds_until_accepted(matrix, token) for token in ("a-brand-new-token", "another-token", "the-third-token")
    ]
    assert min(took) < 1.0, took
    assert "a-brand-new-token" not in "".join(matrix.log(name) for name in matrix.running)


def seconds_until_accepted(matrix: Matrix, token: str) -> float:
    """How long it takes from the change until a bot with the new token comes in at both nexuses."""
    answer = matrix.client.post("/api/admin/config", json={"bot_token": token})
    assert answer.json()["published"], answer.text
    changed = time.monotonic()

    def accepted(port: int) -> bool | None:
        headers = {
            **{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
            **{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "X-Self-ID": "1", "X-Client-Role": "Event"},
            "Authorization": f"Bearer {token}",
        }
        with httpx.stream("GET", f"http://127.0.0.1:{port}/onebot/v11/event", headers=headers) as got:
            return True if got.status_code == 101 else None

    for port in matrix.ports[:2]:
        matrix.until(functools.partial(accepted, port))
    return time.monotonic() - changed


def in_private(bot: ClientConnection, self_id: int, text: str) -> str:
    """Say something to a bot; what it is told to answer, an empty text when it is told nothing."""
    event = {
        **{"post_type": "message", "message_type": "private", "sub_type": "friend", "self_id": self_id},
        **{"time": 1_700_000_000, "message_id": time.time_ns(), "user_id": 77, "message": text, "raw_message": text},
    }
    bot.send(json.dumps(event))
    try:
        while (action := json.loads(bot.recv(timeout=2)))["action"] != "send_private_msg":
            pass
    except TimeoutError:
        return ""
    return str(action["params"]["message"][0]["data"]["text"])


def test_who_says_a_code_to_one_nexus_commands_every_nexus_until_they_are_unbound(matrix: Matrix) -> None:
    token = matrix.client.get("/api/connect-info").json()["token"]
    with ExitStack() as stack:
        bots = []
        for port in matrix.ports[:2]:
            headers = {"X-Self-ID": str(port), "Authorization": f"Bearer {token}"}
            url = f"ws://127.0.0.1:{port}/onebot/v11/ws"
            bots.append((stack.enter_context(connect(url, additional_headers=headers, proxy=None)), port))
        matrix.until(lambda: True if matrix.client.get("/api/bots").json()["total"] == 2 else None)
        code = matrix.client.post("/api/user/bind").json()["say"]
        assert "绑定成功" in matrix.until(lambda: in_private(*bots[0], code) or None)
        bindings = matrix.until(lambda: matrix.client.get("/api/user/bindings").json()["bindings"] or None)
        assert [(one["identity"], one["counts"]) for one in bindings] == [("qq:77", True)]
        for bot in bots:
            assert "状态 State" in matrix.until(functools.partial(commanded, *bot))
        assert matrix.client.delete("/api/user/bindings", params={"identity": "qq:77"}).status_code == 200
        time.sleep(1)
        assert [in_private(*bot, "/system status") for bot in bots] == ["", ""]
        code_alone = code.removeprefix("/bind ")
        assert code_alone not in "".join(matrix.log(name) for name in matrix.running)


def commanded(bot: ClientConnection, self_id: int) -> str | None:
    return in_private(bot, self_id, "/system status") or None
