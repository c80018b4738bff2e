"""A supervisor in a process of its own, whose parts are small scripts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from botmatrix.embedded.privileges import Identity, assume

SOURCE = str(Path(__file__).parents[3] / "src")
LIMIT = 30.0


class UpProcess:
    """`python -m tests.integration.embedded.supervised HOME`: engines and parts that log what happens to them."""

    def __init__(self, home: Path, script: Path, *parts: str, become: Identity | None = None) -> None:
        self.home = home
        self.log = home.parent / "up.log"
        environment = {**os.environ, "PYTHONPATH": SOURCE, "HOME": str(home.parent)}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(script), str(home), *parts],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
                start_new_session=True,
                preexec_fn=None if become is None else lambda: assume(become),
            )

    def wait_for(self, word: str, *, count: int = 1) -> str:
        """The log, as soon as it holds `word` so many times."""
        wait_until(lambda: self.text.count(word) >= count or self.process.poll() is not None, self.log)
        assert self.text.count(word) >= count, f"{word!r} is not in the log:\n{self.text}"
        return self.text

    @property
    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def children(self) -> dict[str, int]:
        """Process numbers by name."""
        found = json.loads((self.home / "run" / "children.json").read_text())
        return {name: entry["pid"] for name, entry in found.items()}

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait: its exit code."""
        self.process.send_signal(number)
        return self.process.wait(LIMIT)


def wait_until(condition: Callable[[], bool], log: Path | None = None) -> None:
    """Poll for what another process does."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, log.read_text(errors="replace") if log and log.exists() else "too late"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether the process has ended (a zombie that somebody else must reap has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def supervised() -> Path:
    """The program that is run."""
    return Path(__file__).parent / "supervised.py"


@pytest.fixture
def start_up(home: Path, supervised: Path) -> Iterator[Callable[..., UpProcess]]:
    """Start supervisors on one data folder; whatever is left at the end is killed."""
    started: list[UpProcess] = []

    def start(*parts: str) -> UpProcess:
        started.append(UpProcess(home, supervised, *parts))
        return started[-1]

    yield start
    for up in started:
        if up.process.poll() is None:
            up.process.terminate()
            try:
                up.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                up.process.kill()
                up.process.wait()
