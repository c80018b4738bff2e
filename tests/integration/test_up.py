"""`botmatrix up`, as a newcomer meets it: everything starts, a bot says something, a plugin answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-P", "-m", "botmatrix"]
LIMIT = 90.0


def environment(home: Path) -> dict[str, str]:
    """Nothing of the tester's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), "BOTMATRIX_HOME": str(home), "HOME": str(home.parent)}


def botmatrix(home: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """One call of the command."""
    return subprocess.run(
        [*COMMAND, *words], input=given, text=True, capture_output=True, env=environment(home), timeout=LIMIT
    )


class Up:
    """A running `botmatrix up`; `text` is what it has printed."""

    def __init__(self, home: Path, *words: str) -> None:
        self.home = home
        self.output = home.parent / f"up-{time.monotonic_ns()}.log"
        words = words or ("--ws-port", "0", "--webui-port", "0")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "up", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(home),
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def ready(self) -> Up:
        """Wait until it says so."""
        deadline = time.monotonic() + LIMIT
        while "BotMatrix is up." not in self.text or "Try it" not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)
        return self

    @property
    def children(self) -> dict[str, int]:
        found = json.loads((self.home / "run" / "children.json").read_text())
        return {name: entry["pid"] for name, entry in found.items()}

    def end(self, number: int = signal.SIGINT) -> int:
        """Signal it and wait: its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A data folder for all tests of this file, so that there is one first start."""
    folder = Path(tempfile.mkdtemp(prefix="bm-up-"))
    yield folder / "home"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def up(place: Path) -> Iterator[Up]:
    """It runs, for tests that only look."""
    running = Up(place).ready()
    yield running
    running.end()


def test_first_start_prints_where_to_go_and_the_password(up: Up) -> None:
    assert re.search(r"Console +http://127\.0\.0\.1:\d+$", up.text, re.MULTILINE)
    assert re.search(r"For bots +ws://127\.0\.0\.1:\d+/onebot/v11/ws$", up.text, re.MULTILINE)
    secrets = json.loads((up.home / "secrets.json").read_text())
    assert f"Token      {secrets['bot_token']}" in up.text
    password = (up.home / "admin-password.txt").read_text().strip()
    assert f"admin, password {password}" in up.text


def test_simulator_gets_an_answer(up: Up) -> None:
    done = botmatrix(up.home, "sim", "--once", given="/ping\n/echo hello matrix\n")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("pong")
    assert second == "hello matrix"


def test_what_runs_can_be_listed(up: Up) -> None:
    botmatrix(up.home, "sim", "--once", "--self-id", "777", given="/ping\n")
    bots = json.loads(botmatrix(up.home, "bot", "list", "--json").stdout)
    workers = json.loads(botmatrix(up.home, "worker", "list", "--json").stdout)
    queues = json.loads(botmatrix(up.home, "queue", "stats", "--json").stdout)
    users = json.loads(botmatrix(up.home, "user", "list", "--json").stdout)
    assert "qq:777" in [bot["bot"] for bot in bots]
    assert len(workers) == 1
    assert {"default", workers[0]["id"]} <= {queue["lane"] for queue in queues}
    assert users == [{"username": "admin", "role": "owner", "disabled": False}]
    assert botmatrix(up.home, "queue", "dead").stdout == "There are no dead letters.\n"


def test_user_is_added_barred_and_let_in_again(up: Up) -> None:
    assert botmatrix(up.home, "user", "add", "anna", "--role", "viewer", given="a long password 1\n").returncode == 0
    again = botmatrix(up.home, "user", "add", "Anna", given="a long password 1\n")
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    assert botmatrix(up.home, "user", "disable", "anna").returncode == 0
    assert botmatrix(up.home, "user", "disable", "anna", "--undo").returncode == 0
    assert botmatrix(up.home, "user", "disable", "admin").returncode == 1, "the last administrator"
    assert botmatrix(up.home, "user", "passwd", "anna", given="another password 2\n").returncode == 0


def test_doctor_finds_everything_in_order(up: Up) -> None:
    done = botmatrix(up.home, "doctor", "--json")
    assert {finding["state"] for finding in json.loads(done.stdout)} <= {"ok", "warning"}, done.stdout
    assert done.returncode == 0


def test_secrets_are_in_no_command_line_and_in_no_log(up: Up) -> None:
    secrets = [*json.loads((up.home / "secrets.json").read_text()).values()]
    secrets.append((up.home / "admin-password.txt").read_text().strip())
    lines = [" ".join(psutil.Process(pid).cmdline()) for pid in up.children.values()]
    log = (up.home / "logs" / "botmatrix.log").read_text()
    for secret in secrets:
        assert secret not in log
        assert not any(secret in line for line in lines)


def test_soft_limit_of_open_files_is_the_hard_one(up: Up) -> None:
    if not hasattr(psutil.Process, "rlimit"):
        pytest.skip("this platform does not show limits of other processes")
    soft, hard = psutil.Process(up.children["nexus"]).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == hard


def test_second_up_says_who_holds_the_home(up: Up) -> None:
    second = botmatrix(up.home, "up")
    assert second.returncode == 1
    assert f"process {up.process.pid}" in second.stderr


def test_taken_port_is_exit_78_and_names_the_setting(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = botmatrix(home, "up", "--ws-port", str(port), "--webui-port", "0")
    assert done.returncode == 78
    assert f"ws_port = {port}: expected a port that is free" in done.stderr


def test_killed_up_leaves_nothing_and_the_next_one_answers(home: Path) -> None:
    first = Up(home).ready()
    children = first.children
    assert set(children) == {"valkey", "postgres", "nexus", "control", "worker"}
    first.end(signal.SIGKILL)
    second = Up(home).ready()
    try:
        done = botmatrix(home, "sim", "--once", given="/ping\n")
        assert done.stdout.startswith("pong"), done.stderr
        assert "password" not in second.text, "only the first start shows it"
        assert not set(children.values()) & set(second.children.values())
    finally:
        assert second.end() == 0
    assert not any(psutil.pid_exists(pid) for pid in children.values())


def test_plugin_copied_to_home_answers(home: Path) -> None:
    (home / "plugins").mkdir()
    shutil.copy(ROOT / "examples" / "plugins" / "kitecho.py", home / "plugins")
    running = Up(home).ready()
    try:
        done = botmatrix(home, "sim", "--once", given="ping 5\nwhoami 6\nboom 7\n")
        assert done.stdout.splitlines() == ["pong 5", "iam 6 10001 sim", "failed 7 1404"]
    finally:
        assert running.end() == 0
