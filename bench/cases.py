"""The contestants: how each is started, and which of its processes count."""

from __future__ import annotations

import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

from bench.envs import python_of
from bench.parts import ROOT, Part, Valkey, botmatrix, free_port, source_path, wait_listening

TOKEN = "bench-token-of-loopback"  # noqa: S105 - guards nothing but this run


class Case(ABC):
    """One contestant, started anew for each `with`. `parts` are the processes whose CPU time is reported."""

    name: str
    title: str

    def __init__(self) -> None:
        self.folder = Path()
        self.port = free_port()
        self.parts: list[Part] = []

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the bots dial."""

    @abstractmethod
    def start(self) -> None:
        """Start every part and wait until bots can dial. Raises `RuntimeError`."""

    def __enter__(self) -> Case:
        self.folder = Path(tempfile.mkdtemp(prefix=f"bm-bench-{self.name}-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for part in reversed(self.parts):
            part.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> Part:
        """Start one part."""
        part = Part(name, argv, self.folder / f"{name}.log", env)
        self.parts.append(part)
        part.start()
        return part

    def add_valkey(self) -> Valkey:
        valkey = Valkey(self.folder / "valkey")
        self.parts.append(valkey)
        valkey.start_ready()
        return valkey


class Floor(Case):
    name, title = "floor", "bare floor"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def start(self) -> None:
        valkey = self.add_valkey()
        command = [sys.executable, "-m", "bench.floor"]
        nexus = self.add("nexus", [*command, "front", "--redis", valkey.url, "--port", str(self.port)])
        self.add("worker", [*command, "worker", "--redis", valkey.url])
        wait_listening(nexus, self.port)


class BotMatrix(Case):
    name, title = "botmatrix", "BotMatrix"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/onebot/v11/ws"

    def furnish(self, valkey: Valkey) -> None:
        """What is to be set before the parts start: nothing."""

    def command(self, part: str) -> list[str]:
        """How a part is started."""
        return botmatrix(part)

    def start(self) -> None:
        valkey = self.add_valkey()
        self.furnish(valkey)
        self.env = env = {
            **source_path(),
            "BOTMATRIX_HOME": str(self.folder / "home"),
            "REDIS_URL": valkey.url,
            "WS_PORT": str(self.port),
            "BOT_TOKEN": TOKEN,
            "WORKER_TOKEN": TOKEN,
            "NEXUS_ID": "bench",
            "WORKER_ID": "bench",
            "LOG_LEVEL": "warning",
        }
        (self.folder / "home").mkdir(mode=0o700)
        nexus = self.add("nexus", self.command("nexus"), env)
        self.add("worker", self.command("worker"), env)
        wait_listening(nexus, self.port)
        valkey.wait_for_key("botmatrix:worker:bench")


class NoneBot2(Case):
    name, title = "nonebot2", "NoneBot2"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/onebot/v11/ws"

    def start(self) -> None:
        app = [str(python_of(self.name)), str(ROOT / "bench/apps/nonebot2_echo.py"), str(self.port), TOKEN]
        wait_listening(self.add("app", app), self.port)


class Aiocqhttp(Case):
    name, title = "aiocqhttp", "aiocqhttp"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/"

    def start(self) -> None:
        app = [str(python_of(self.name)), str(ROOT / "bench/apps/aiocqhttp_echo.py"), str(self.port), TOKEN]
        wait_listening(self.add("app", app), self.port)


CASES: dict[str, type[Case]] = {case.name: case for case in (Floor, BotMatrix, NoneBot2, Aiocqhttp)}
