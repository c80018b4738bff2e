"""Two nexuses behind a TCP balancer: bots land on either and move between them, while one after another dies."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import redis
from tests.chaos.asks import asks, blocks, is_routed, rule
from tests.chaos.bots import Bot, Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.stack import PREFIX

MOVES = 20.0
"""Bots that dial anew, a second."""
ASKED = 5
"""Bots of each nexus that are asked to do something."""


async def land_anywhere(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Blows by turns kill -9 and SIGTERM, each nexus by turns; before and after, what REST says must act on both."""
    await _acts_on_both(nemesis, crowd, 0)
    blows = itertools.cycle((nemesis.kill_nexus, nemesis.stop_nexus))
    async with _moving(nemesis, crowd):
        for number in range(times):
            await nemesis.pause(1.0, 3.0)
            await next(blows)(nemesis.stack.nexuses[number // 2 % 2])
            await nemesis.pause(0.5, 2.0)
    await _acts_on_both(nemesis, crowd, 1)


@asynccontextmanager
async def _moving(nemesis: Nemesis, crowd: Crowd) -> AsyncIterator[None]:
    async def move() -> None:
        while True:
            nemesis.count("bot moves")
            nemesis.rng.choice(crowd.bots).move()
            await asyncio.sleep(1 / MOVES)

    task = asyncio.create_task(move())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _acts_on_both(nemesis: Nemesis, crowd: Crowd, worker: int) -> None:
    """Finding `one-sided`: a nexus has hardly any bot; and those of what is asked."""
    await crowd.all_online()
    await rule(nemesis, nemesis.stack.workers[worker])
    await blocks(nemesis, crowd)
    await is_routed(nemesis, crowd, nemesis.stack.workers[worker])
    homes = await asyncio.to_thread(nemesis.stack.redis, lambda client: _homes(client, crowd.bots))
    nemesis.findings["one-sided"] += len(homes) != len(nemesis.stack.nexuses) or min(map(len, homes.values())) < ASKED
    for bots in homes.values():
        await asks(nemesis, bots[:ASKED])


def _homes(client: redis.Redis, bots: list[Bot]) -> dict[str, list[Bot]]:
    """Incarnation of a nexus -> its bots."""
    homes: dict[str, list[Bot]] = {}
    for bot in bots:
        nexus: Any = client.hget(f"{PREFIX}bot:qq:{bot.self_id}", "nexus")
        homes.setdefault(nexus.decode() if nexus else "", []).append(bot)
    return homes
