"""What breaks things. Each blow is a small function on a stack; which one comes when is drawn from a seed."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis
from bench.parts import Part
from tests.chaos.stack import PREFIX, Stack

ADOPTED_AFTER = 15.0
"""By then a dead worker's lane has an adopter: the lease (10 s) and a look around."""


PRESENCE_SECONDS = 12
"""By then every worker has announced itself anew."""

TAKE = """
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if not found[1] or redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return false end
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('HINCRBY', KEYS[2], 'done', 1)
return found[1][2][2]
"""
"""Acknowledge and delete one entry, if it was not settled yet; gives its payload."""


class Nemesis:
    """Blows against one stack. `strikes` counts them by name."""

    def __init__(self, stack: Stack, rng: random.Random) -> None:
        self.stack, self.rng = stack, rng
        self.strikes: dict[str, int] = {}
        self._struck: list[Part] = []
        self.findings: Counter[str] = Counter()
        self.recoveries: list[float] = []
        self.stops: list[float] = []
        self.notes: dict[str, str] = {}  # figures worth showing

    async def pause(self, shortest: float, longest: float) -> None:
        """Let it run for a while."""
        await asyncio.sleep(self.rng.uniform(shortest, longest))

    async def kill_worker(self) -> None:
        """kill -9, and a supervisor starts it again at once under its id."""
        worker = self.pick_worker("worker kill -9")
        await asyncio.to_thread(worker.kill)
        await self.pause(0.0, 0.5)
        worker.start()

    async def kill_worker_for_long(self) -> None:
        """kill -9, and it stays away until its lane must have been adopted."""
        worker = self.pick_worker("worker kill -9, left to an adopter")
        await asyncio.to_thread(worker.kill)
        await asyncio.sleep(ADOPTED_AFTER)
        worker.start()

    async def freeze_worker(self, seconds: float) -> None:
        """SIGSTOP for longer than the lease, then SIGCONT."""
        worker = self.pick_worker("worker SIGSTOP, SIGCONT")
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        worker.signal(signal.SIGCONT)

    async def see_fenced(self, before: int) -> None:
        """Finding `not fenced`: no worker has counted a refused settlement within a heartbeat or two."""
        for _ in range(PRESENCE_SECONDS * 2):
            if await asyncio.to_thread(self.stack.fenced) > before:
                return
            await asyncio.sleep(0.5)
        self.findings["not fenced"] += 1

    async def stop_nexus(self, nexus: Part | None = None) -> None:
        """SIGTERM, wait for its end (at most 10 s is right), start it again."""
        self.count("nexus SIGTERM")
        nexus, started = nexus or self.stack.nexus, time.monotonic()
        nexus.signal(signal.SIGTERM)
        ended = await asyncio.to_thread(nexus.wait, 20)
        self.stops.append(time.monotonic() - started if ended else 60.0)
        nexus.kill()
        nexus.start()
        await self._serving()

    async def kill_nexus(self, nexus: Part | None = None) -> None:
        """kill -9 and start again."""
        self.count("nexus kill -9")
        nexus = nexus or self.stack.nexus
        await asyncio.to_thread(nexus.kill)
        await self.pause(0.0, 0.5)
        nexus.start()
        await self._serving()

    async def kill_valkey(self) -> float:
        """kill -9, then the same data again; gives the moment (monotonic) when it answered."""
        self.count("valkey kill -9")
        await asyncio.to_thread(self.stack.valkey.kill)
        await self.pause(0.0, 1.0)
        await asyncio.to_thread(self.stack.valkey.start_ready)
        return time.monotonic()

    async def freeze_valkey(self, seconds: float) -> float:
        """SIGSTOP and SIGCONT; gives the moment (monotonic) when it went on."""
        self.count("valkey SIGSTOP, SIGCONT")
        self.stack.valkey.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.stack.valkey.signal(signal.SIGCONT)
        return time.monotonic()

    async def refuse_on_a_lane(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """Put a string in the place of a lane's stream for a while, its worker asleep meanwhile."""
        worker = self.pick_worker("lane that refuses")
        lane, aside = f"{PREFIX}queue:worker:{worker.name}", f"{PREFIX}aside"
        worker.signal(signal.SIGSTOP)
        await self._evaluate("redis.call('RENAME', KEYS[1], KEYS[2]); redis.call('SET', KEYS[1], 'x')", lane, aside)
        meanwhile()
        await asyncio.sleep(seconds)
        await self._evaluate("redis.call('RENAME', KEYS[2], KEYS[1])", lane, aside)
        worker.signal(signal.SIGCONT)

    async def fill_valkey(self, seconds: float) -> None:
        """Leave no memory for new things. Finding `stuck`: what was in the lanes did not drain."""
        self.count("valkey full")
        await self._configure("1mb")
        await asyncio.sleep(seconds)
        waiting = (await asyncio.to_thread(self.stack.books)).waiting
        await self._configure("0")
        if waiting:
            self.findings["stuck"] += waiting

    def take_some(self) -> list[int]:
        """Settle some delivered entries by hand, as an operator's tool might; gives their event numbers."""
        self.count("entries settled by another hand")
        return self.stack.redis(self._take_some)

    def _take_some(self, client: redis.Redis) -> list[int]:
        taken = []
        owners: Any = client.hgetall(PREFIX + "own")
        for lane, own in owners.items():
            stream, group = f"{PREFIX}queue:worker:{lane.decode()}", "g" + own.decode().partition("|")[0]
            pending: Any = client.xpending_range(stream, group, "-", "+", 16)
            for entry in self.rng.sample(pending, min(2, len(pending))):
                found: Any = client.eval(TAKE, 2, stream, PREFIX + "stats", group, entry["message_id"])
                if found:
                    taken.append(int(json.loads(found)["event"]["message_id"]))
        return taken

    async def _evaluate(self, script: str, *keys: str) -> None:
        await asyncio.to_thread(self.stack.redis, lambda client: client.eval(script, len(keys), *keys))

    async def _configure(self, maxmemory: str) -> None:
        await asyncio.to_thread(self.stack.redis, lambda client: client.config_set("maxmemory", maxmemory))

    async def _serving(self) -> None:
        await self.stack.until(self.stack.serving, 60, "the nexus did not come back")

    def pick_worker(self, blow: str) -> Part:
        """One that was not struck lately: an entry that meets three deaths is a dead letter, and rightly so."""
        self.count(blow)
        spared = self._struck[-(len(self.stack.workers) // 2) :]
        choice = [worker for worker in self.stack.workers if worker.running and worker not in spared]
        worker = self.rng.choice(choice or [worker for worker in self.stack.workers if worker.running])
        self._struck.append(worker)
        return worker

    def count(self, blow: str) -> None:
        """A blow of this name has fallen."""
        self.strikes[blow] = self.strikes.get(blow, 0) + 1
