"""The real thing under test: Valkey, one nexus, some workers, each a process of its own, restarted as asked.

Parts are started by their commands, and looked at through Redis and REST, as an operator would.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import redis
from bench.parts import ROOT, Part, Valkey, botmatrix, free_port, listening, source_path
from tests.chaos.balancer import Balancer
from tests.chaos.checker import Books
from tests.chaos.console import Console
from tests.chaos.proxy import Proxy

TOKEN = "chaos-token-of-loopback"
PREFIX = "botmatrix:"

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a deployment is made of.

    `proxied`: parts reach Valkey through a proxy; `balanced`: bots reach the nexuses through a TCP balancer; `console`:
    there are PostgreSQL and a control process too.
    """

    workers: int = 4
    concurrency: int = 8
    nexuses: int = 1
    proxied: bool = False
    balanced: bool = False
    console: bool = False


class Stack:
    """One deployment in a temporary folder. `defect` plants a fault in every part (see defects.py)."""

    def __init__(self, shape: Shape, *, defect: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bm-chaos-"))
        self.ports = [free_port() for _ in range(shape.nexuses)]
        self.valkey = Valkey(self.folder / "valkey")
        self.handled = self.folder / "handled.log"
        self.plugin = self.folder / "plugins" / "chaos_plugin.py"
        shutil.copytree(ROOT / "tests/chaos/plugins", self.plugin.parent)
        self.proxy = Proxy(self.valkey.port) if shape.proxied else None
        self.balancer = Balancer(self.ports) if shape.balanced else None
        self._defect = defect
        self._env = {
            **source_path(),
            "REDIS_URL": self.valkey.url,
            "BOT_TOKEN": TOKEN,
            "WORKER_TOKEN": TOKEN,
            "PLUGIN_DIRS": str(self.plugin.parent),
            "WORKER_CONCURRENCY": str(shape.concurrency),
            "LOG_LEVEL": "info",
            "LOG_FORMAT": "json",
            "CHAOS_LOG": str(self.handled),
        }
        self._console = Console(self.folder, self._env) if shape.console else None
        self._env |= self._console.database if self._console else {}
        self.nexuses = [
            self._part(f"n{n}", "nexus", {"NEXUS_ID": f"n{n}", "WS_PORT": str(port)})
            for n, port in enumerate(self.ports, 1)
        ]
        self.workers = [self._part(f"w{n}", "worker", {"WORKER_ID": f"w{n}"}) for n in range(1, shape.workers + 1)]

    @property
    def url(self) -> str:
        """Where bots dial: the balancer, or the first nexus."""
        return self.url_of(0) if self.balancer is None else gateway(self.balancer.port)

    @property
    def nexus(self) -> Part:
        """The first nexus, and in most phases the only one."""
        return self.nexuses[0]

    @property
    def console(self) -> Console:
        """PostgreSQL and control. Raises `RuntimeError` where the shape has none."""
        if self._console is None:
            raise RuntimeError("this stack has no console")
        return self._console

    @property
    def parts(self) -> list[Part]:
        return [*self.nexuses, *self.workers, *([self._console.part] if self._console else [])]

    def url_of(self, nexus: int) -> str:
        return gateway(self.ports[nexus])

    def slow(self, worker: Part) -> Path:
        """While this file is there, the worker takes ten times as long for everything."""
        return self.folder / f"slow-{worker.name}"

    def serving(self) -> bool:
        """Whether every nexus listens."""
        return all(map(listening, self.ports))

    async def start(self) -> None:
        """Valkey, then the parts; returns when bots can dial and every worker is present."""
        await asyncio.to_thread(self.valkey.start_ready)
        if self.proxy is not None:
            await self.proxy.start()
            self._env["REDIS_URL"] = self.valkey.url.replace(f":{self.valkey.port}/", f":{self.proxy.port}/")
        if self.balancer is not None:
            await self.balancer.start()
        console = asyncio.create_task(self._console.start()) if self._console else None
        for part in (*self.nexuses, *self.workers):
            part.env.update(REDIS_URL=self._env["REDIS_URL"])
            part.start()
        await self.until(self.all_present, 90, "the parts did not start")
        if console is not None:
            await console

    async def stop(self, *, keep: bool = False) -> None:
        """End everything; `keep` leaves the folder with all logs."""
        for part in (*self.parts, self.valkey):
            part.resume()
        await asyncio.gather(*(asyncio.to_thread(part.stop) for part in self.parts))
        for helper in (self.proxy, self.balancer):
            if helper is not None:
                await helper.close()
        if self._console is not None:
            await self._console.stop()
        await asyncio.to_thread(self.valkey.kill)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def all_present(self) -> bool:
        """Whether the gateway listens and every worker has announced itself."""
        present = self.redis(_read_present)
        return self.serving() and present >= {worker.name for worker in self.workers}

    async def until(self, true: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Poll until `true()`. Raises `RuntimeError` with the ends of the logs of parts that ended."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await asyncio.to_thread(true):
            if asyncio.get_running_loop().time() > deadline:
                tails = "\n".join(f"--- {part.name}\n{part.tail(5)}" for part in self.parts)
                raise RuntimeError(f"{otherwise}\n{tails}")
            await asyncio.sleep(0.05)

    def redis(self, ask: Callable[[redis.Redis], Found]) -> Found:
        """Ask Redis something, with a client of this call's own."""
        client = self.valkey.client()
        try:
            return ask(client)
        finally:
            client.close()

    def books(self) -> Books:
        """The hub's own counts."""
        return self.redis(_read_books)

    def fenced(self) -> int:
        """How many settlements the workers that run now say were refused because somebody else had settled."""
        return self.redis(_read_fenced)

    def ended_by_themselves(self, expected: Iterable[int] = ()) -> list[str]:
        """Parts that nobody killed and that are gone all the same, with the end of their logs."""
        return [
            f"{part.name} ended by itself with code {part.exit_code}: {part.tail(3)}"
            for part in self.parts
            if part.exit_code not in (None, *expected)
        ]

    def _part(self, name: str, command: str, own: Mapping[str, str]) -> Part:
        home = self.folder / f"home-{name}"
        home.mkdir(mode=0o700)
        argv = botmatrix(command) if not self._defect else planted(self._defect, command)
        env = {**self._env, **own, "BOTMATRIX_HOME": str(home)}
        return Part(name, argv, self.folder / f"{name}.log", env)


def gateway(port: int) -> str:
    """Where bots dial a nexus."""
    return f"ws://127.0.0.1:{port}/onebot/v11/ws"


def planted(defect: str, command: str) -> list[str]:
    """The command line of a part with a defect planted in it."""
    return [sys.executable, "-m", "tests.chaos.planted", defect, "--", command]


def _read_present(client: redis.Redis) -> set[str]:
    names: Any = client.smembers(PREFIX + "workers")
    return {name.decode() for name in names}


def _read_fenced(client: redis.Redis) -> int:
    counts: list[Any] = [client.hget(f"{PREFIX}worker:{name}", "fenced") for name in _read_present(client)]
    return sum(int(count or 0) for count in counts)


def _read_books(client: redis.Redis) -> Books:
    raw: Any = client.hgetall(PREFIX + "stats")
    stats = {name.decode(): int(value) for name, value in raw.items()}
    lanes = [*client.scan_iter(PREFIX + "queue:*", _type="stream")]
    lengths: list[Any] = [client.xlen(lane) for lane in lanes]
    return Books(
        accepted=stats.get("accepted", 0),
        done=stats.get("done", 0),
        dead=stats.get("dead", 0),
        waiting=sum(lengths),
        unknown=stats.get("actions_unknown", 0),
        expired=stats.get("actions_expired", 0),
        doubled=sum(_count_of(client, "action_twice")),
        dead_numbers=frozenset(_dead_numbers(client)),
    )


def _count_of(client: redis.Redis, counter: str) -> Iterable[int]:
    """What each nexus of this run, dead or alive, last said of one of its counters."""
    incs: Any = client.smembers(PREFIX + "nexuses")
    for inc in incs:
        count: Any = client.hget(f"{PREFIX}nexus:{inc.decode()}", "count_" + counter)
        yield int(count or 0)


def _dead_numbers(client: redis.Redis) -> Iterable[int]:
    entries: Any = client.xrange(PREFIX + "dead")
    for _, fields in entries:
        event = json.loads(fields[b"payload"]).get("event", {})
        yield int(event["message_id"])
