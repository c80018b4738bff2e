"""What breaks things. Each blow is a small function on a stack; which one comes when is drawn from a seed."""

from __future__ import annotations

import asyncio
import random
import signal
import time

from bench.parts import Part, listening
from tests.chaos.stack import Stack

ADOPTED_AFTER = 15.0
"""By then a dead worker's lane has an adopter: the lease (10 s) and a look around."""


class Nemesis:
    """Blows against one stack. `strikes` counts them by name."""

    def __init__(self, stack: Stack, rng: random.Random) -> None:
        self.stack, self.rng = stack, rng
        self.strikes: dict[str, int] = {}
        self._struck: list[Part] = []
        self.recoveries: list[float] = []
        self.stops: list[float] = []

    async def pause(self, shortest: float, longest: float) -> None:
        """Let it run for a while."""
        await asyncio.sleep(self.rng.uniform(shortest, longest))

    async def kill_worker(self) -> None:
        """kill -9, and a supervisor starts it again at once under its id."""
        worker = self._some_worker("worker kill -9")
        await asyncio.to_thread(worker.kill)
        await self.pause(0.0, 0.5)
        worker.start()

    async def kill_worker_for_long(self) -> None:
        """kill -9, and it stays away until its lane must have been adopted."""
        worker = self._some_worker("worker kill -9, left to an adopter")
        await asyncio.to_thread(worker.kill)
        await asyncio.sleep(ADOPTED_AFTER)
        worker.start()

    async def freeze_worker(self, seconds: float) -> None:
        """SIGSTOP for longer than the lease, then SIGCONT."""
        worker = self._some_worker("worker SIGSTOP, SIGCONT")
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        worker.signal(signal.SIGCONT)

    async def stop_nexus(self) -> None:
        """SIGTERM, wait for its end (at most 10 s is right), start it again."""
        self._count("nexus SIGTERM")
        nexus, started = self.stack.nexus, time.monotonic()
        nexus.signal(signal.SIGTERM)
        ended = await asyncio.to_thread(nexus.wait, 20)
        self.stops.append(time.monotonic() - started if ended else 60.0)
        nexus.kill()
        nexus.start()
        await self._serving()

    async def kill_nexus(self) -> None:
        """kill -9 and start again."""
        self._count("nexus kill -9")
        await asyncio.to_thread(self.stack.nexus.kill)
        await self.pause(0.0, 0.5)
        self.stack.nexus.start()
        await self._serving()

    async def kill_valkey(self) -> float:
        """kill -9, then the same data again; gives the moment (monotonic) when it answered."""
        self._count("valkey kill -9")
        await asyncio.to_thread(self.stack.valkey.kill)
        await self.pause(0.0, 1.0)
        await asyncio.to_thread(self.stack.valkey.start_ready)
        return time.monotonic()

    async def freeze_valkey(self, seconds: float) -> float:
        """SIGSTOP and SIGCONT; gives the moment (monotonic) when it went on."""
        self._count("valkey SIGSTOP, SIGCONT")
        self.stack.valkey.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.stack.valkey.signal(signal.SIGCONT)
        return time.monotonic()

    async def _serving(self) -> None:
        await self.stack.until(lambda: listening(self.stack.port), 20, "the nexus did not come back")

    def _some_worker(self, blow: str) -> Part:
        """One that was not struck lately: an entry that meets three deaths is a dead letter, and rightly so."""
        self._count(blow)
        spared = self._struck[-(len(self.stack.workers) // 2) :]
        choice = [worker for worker in self.stack.workers if worker.running and worker not in spared]
        worker = self.rng.choice(choice or [worker for worker in self.stack.workers if worker.running])
        self._struck.append(worker)
        return worker

    def _count(self, blow: str) -> None:
        self.strikes[blow] = self.strikes.get(blow, 0) + 1
