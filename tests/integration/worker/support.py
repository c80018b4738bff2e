"""Lanes to fill and workers to run: real Valkey, real processes, a handler that does what an event says."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import ActionEntry, Envelope, decode_action, encode
from botmatrix.bus.keys import Keys
from botmatrix.errors import EngineUnavailable
from botmatrix.worker.options import Options

BOT = "qq:10001"
KEYS = Keys()
FAST = {"lease": 1.5, "renew": 0.3, "adopt_every": 0.4, "announce": 0.5, "probe": 1.0, "grace": 2.0}
"""Times of a worker in these tests (s)."""


def fast_options(worker_id: str, **changes: Any) -> Options:
    return Options(worker_id=worker_id, **{**FAST, **changes})


def event_of(number: int, *, user: int = 1, **extra: Any) -> Envelope:
    """Event `number` of a person; `extra` tells the handler what to do."""
    body = json.dumps({"n": number, "user_id": user, **extra}).encode()
    event_id = f"{user:08x}{number:016x}"
    return Envelope(event_id, BOT, f"private:{user}", "n.00000000", 1, int(time.time() * 1000), msgspec.Raw(body))


def reply_to(envelope: Envelope, event: dict[str, Any]) -> ActionEntry:
    """The one action that answers an event."""
    params = json.dumps({"n": event["n"], "user": event["user_id"]}).encode()
    return ActionEntry(envelope.bot, f"a-{envelope.id}", "send_msg", msgspec.Raw(params), 0, eid=envelope.id)


PEOPLE, EACH = range(1, 11), 20
EVENTS = len(PEOPLE) * EACH


def slow_events() -> list[Envelope]:
    """`EACH` events of each of `PEOPLE`, interleaved, which keep a handler for a while."""
    return [event_of(n, user=user, sleep=0.01) for n in range(EACH) for user in PEOPLE]


def assert_all_once_and_in_order(sent: list[tuple[int, int]]) -> None:
    """Every one of `slow_events` was answered once, and each person's in their order."""
    assert len(sent) == EVENTS
    for user in PEOPLE:
        assert [n for who, n in sent if who == user] == list(range(EACH))


async def until(condition: Callable[[], Awaitable[object]], *, timeout: float = 15.0) -> None:
    """Wait until a condition of the outside world holds."""
    async with asyncio.timeout(timeout):
        while True:
            with suppress(EngineUnavailable):
                if await condition():
                    return
            await asyncio.sleep(0.02)


class Stage:
    """What the tests see of Redis: they fill lanes and read what was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = Client(url, name="stage")

    async def put(self, lane: str, *envelopes: Envelope) -> None:
        """Append events to a lane."""
        await self.put_raw(lane, *(encode(envelope) for envelope in envelopes))

    async def put_raw(self, lane: str, *payloads: bytes) -> None:
        """Append entries to a lane as they are, all at one moment: no worker finds some of them there alone."""
        commands = [("XADD", KEYS.lane(lane), "*", "payload", payload) for payload in payloads]
        *queued, appended = await self.redis.pipeline(("MULTI",), *commands, ("EXEC",))
        assert isinstance(appended, list), (queued, appended)
        assert all(isinstance(one, bytes) for one in appended), appended

    async def sent(self) -> list[tuple[int, int]]:
        """(person, number) of each action that left, in their order."""
        entries = await self.redis.call("XRANGE", KEYS.orphans, "-", "+")
        bodies = [json.loads(bytes(decode_action(fields[1]).params)) for _, fields in entries]
        return [(body["user"], body["n"]) for body in bodies]

    async def until_sent(self, count: int, *, timeout: float = 15.0) -> None:
        """Wait until so many actions left."""

        async def sent() -> bool:
            return int(await self.redis.call("XLEN", KEYS.orphans)) >= count

        await until(sent, timeout=timeout)

    async def until_settled(self, lane: str) -> None:
        """Wait until a lane is empty."""
        await self.until_settled_but(lane, 0)

    async def until_settled_but(self, lane: str, rest: int) -> None:
        """Wait until so few entries are left on a lane."""

        async def settled() -> bool:
            return int(await self.redis.call("XLEN", KEYS.lane(lane))) <= rest

        await until(settled)

    async def until_owned_by(self, lane: str, worker_id: str) -> None:
        """Wait until a worker owns a lane; nobody does when `worker_id` is empty."""

        async def owned() -> bool:
            return (await self.owner(lane)).rpartition(".")[0] == worker_id

        await until(owned)

    async def dead(self) -> list[str]:
        """Reasons of the dead letters."""
        entries = await self.redis.call("XRANGE", KEYS.dead, "-", "+")
        return [dict(zip(fields[::2], fields[1::2], strict=True))[b"reason"].decode() for _, fields in entries]

    async def backlog(self, lane: str) -> int:
        """Unsettled entries of a lane."""
        return int(await self.redis.call("XLEN", KEYS.lane(lane)))

    async def owner(self, lane: str) -> str:
        """Incarnation that owns a lane."""
        own = await self.redis.call("HGET", KEYS.own, lane)
        return own.decode().partition("|")[2] if own else ""

    async def presence(self, worker_id: str) -> dict[str, str]:
        """What a worker says of itself."""
        flat = await self.redis.call("HGETALL", KEYS.presence(worker_id))
        return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}


@dataclass
class WorkerProcess:
    """A worker as a process of its own."""

    worker_id: str
    process: asyncio.subprocess.Process
    log: Path

    async def end(self, timeout: float = 10.0) -> int:
        """Its exit code, when it ends by itself."""
        async with asyncio.timeout(timeout):
            return await self.process.wait()

    def output(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8", "replace")


class Troupe:
    """Starts workers as processes and ends those that are left."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._stage, self._folder = stage, folder
        self._workers: list[WorkerProcess] = []

    async def start(self, worker_id: str, *, joined: bool = True, **changes: Any) -> WorkerProcess:
        """Start one; `changes` are options of it. With `joined`, wait until it owns its lane."""
        log = self._folder / f"{worker_id}-{len(self._workers)}.log"
        options = json.dumps({"worker_id": worker_id, **FAST, **changes})
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.integration.worker.program", options),
                env={**os.environ, "REDIS_URL": self._stage.url, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=output,
                stderr=output,
            )
        worker = WorkerProcess(worker_id, process, log)
        self._workers.append(worker)
        if joined:
            await until(lambda: self._announced(worker))
        return worker

    async def close(self) -> None:
        """Kill what still runs."""
        for worker in self._workers:
            if worker.process.returncode is None:
                worker.process.kill()
            await worker.process.wait()

    async def _announced(self, worker: WorkerProcess) -> bool:
        assert worker.process.returncode is None, worker.output()
        return (await self._stage.presence(worker.worker_id)).get("pid") == str(worker.process.pid)
