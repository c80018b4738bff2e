"""Targets that come and go while everybody talks: nothing is lost or doubled, every conversation keeps its order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.integration.nexus.scene import KEYS, message, number_of
from tests.integration.nexus.test_routing import Matrix, until

from botmatrix.bus.envelope import decode_envelope
from botmatrix.bus.lanes import Lane, Lanes, Settlement
from botmatrix.routing.rule import make_rule

SECONDS = 8.0
GROUPS = 12


@pytest.fixture
async def matrix(redis_url: str, home: Path) -> AsyncIterator[Matrix]:
    async with AsyncExitStack() as stack:
        matrix = Matrix(redis_url, home, stack)
        stack.push_async_callback(matrix.client.close)
        stack.push_async_callback(matrix.lanes.close)
        yield matrix


class Handled:
    """What workers handled: the numbers of each conversation, by the lane in front of which it waited or not."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self.count = 0

    async def serve(self, name: str, pool: str) -> None:
        """Read a lane, take a little while, settle."""
        lane = await self._matrix.lane(name, pool)
        lanes = Lanes(self._matrix.url, KEYS, f"{name}.bbbbbbbb")
        try:
            while True:
                await self._serve_some(lanes, lane)
        finally:
            await lanes.close()

    async def _serve_some(self, lanes: Lanes, lane: Lane) -> None:
        for delivery in await lanes.read(lane, 16, 100):
            envelope = decode_envelope(delivery.payload)
            self.numbers[envelope.conv].append(number_of(envelope))
            self.count += 1
            await lanes.settle(lane, [Settlement(delivery.entry_id, envelope.nexus, envelope.t, ())])


async def come_and_go(matrix: Matrix, names: list[str]) -> None:
    """Workers drain and take events again, at random."""
    rng = random.Random(11)
    while True:
        await asyncio.sleep(rng.uniform(0.05, 0.6))
        name = rng.choice(names)
        await matrix.client.call("HSET", KEYS.presence(name), "draining", rng.choice(("0", "1")))
        await matrix.client.call("PUBLISH", KEYS.presence_changed, "somebody")


async def test_targets_that_come_and_go_lose_and_mix_up_nothing(matrix: Matrix) -> None:
    nexus = await matrix.nexus()
    bot = await matrix.bot(nexus)
    targets = ("w7", "pool:vip", "w7,pool:vip")
    fallbacks = ("wait", "balance")
    rules = [
        make_rule(f"group_{group}", targets[group % 3], fallback=fallbacks[group % 2]) for group in range(1, GROUPS + 1)
    ]
    await matrix.rules(nexus, *rules)
    handled = Handled(matrix)
    serving = [("w7", "seventh"), ("v1", "vip"), ("v2", "vip"), ("w1", "default")]
    sent = 0
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(handled.serve(name, pool)) for name, pool in serving]
        tasks.append(group.create_task(come_and_go(matrix, [name for name, _ in serving])))
        end = asyncio.get_running_loop().time() + SECONDS
        while asyncio.get_running_loop().time() < end:
            sent += 1
            for conversation in range(1, GROUPS + 2):
                await bot.send(message(sent, group=conversation))
            await asyncio.sleep(0.005)
        tasks.pop().cancel()
        for name, _ in serving:
            await matrix.client.call("HSET", KEYS.presence(name), "draining", "0")
        await until(lambda: handled.count >= sent * (GROUPS + 1), 30.0)
        for task in tasks:
            task.cancel()
    expected = list(range(1, sent + 1))
    assert {conv for conv, numbers in handled.numbers.items() if numbers != expected} == set()
    counters = nexus.counters()
    assert (counters["accepted"], counters["blocked"], counters["waiting"]) == (sent * (GROUPS + 1), 0, 0)
