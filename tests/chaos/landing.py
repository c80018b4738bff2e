"""Two nexuses behind a TCP balancer: bots land on either and move between them, while one after another dies."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import redis
from tests.chaos.bots import Bot, Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.stack import PREFIX

MOVES = 20.0
"""Bots that dial anew, a second."""
ACTS_WITHIN = 1.0
"""Seconds after which what was saved by REST must act in every nexus."""
BLOCKED = 777
ASKED = 5
"""Bots of each nexus that are asked to do something."""


async def land_anywhere(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Blows by turns kill -9 and SIGTERM, each nexus by turns; between them what REST says must act on both."""
    await _acts_on_both(nemesis, crowd)
    blows = itertools.cycle((nemesis.kill_nexus, nemesis.stop_nexus))
    for number in range(times):
        async with _moving(nemesis, crowd):
            await nemesis.pause(1.0, 3.0)
            await next(blows)(nemesis.stack.nexuses[number // 2 % 2])
            await nemesis.pause(1.0, 3.0)
    await _acts_on_both(nemesis, crowd)


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


async def _acts_on_both(nemesis: Nemesis, crowd: Crowd) -> None:
    """Findings: `one-sided`, a nexus has hardly any bot; and those of the checks below."""
    await crowd.all_online()
    await asyncio.sleep(2)  # the nexuses say once a second who is there
    homes = await asyncio.to_thread(nemesis.stack.redis, lambda client: _homes(client, crowd.bots))
    nemesis.findings["one-sided"] += len(homes) != len(nemesis.stack.nexuses) or min(map(len, homes.values())) < ASKED
    for bots in homes.values():
        for bot in nemesis.rng.sample(bots, min(ASKED, len(bots))):
            await _does_what_it_is_asked(nemesis, bot)
    await _blocks_whom_it_must(nemesis, crowd)


async def _does_what_it_is_asked(nemesis: Nemesis, bot: Bot) -> None:
    """Finding `action`: a bot that is online did not answer, or another one did."""
    asked = {"bot": f"qq:{bot.self_id}", "action": "get_login_info"}
    answer = await nemesis.stack.console.post("/api/action", asked)
    if answer.status_code != 200 or answer.json()["data"]["user_id"] != bot.self_id:
        nemesis.findings[f"action {answer.status_code} {answer.text[:80]}"] += 1


async def _blocks_whom_it_must(nemesis: Nemesis, crowd: Crowd) -> None:
    """Somebody is put on the blacklist: the checker sees to it that no handler hears what they say to any bot."""
    saved = await nemesis.stack.console.post("/api/admin/core", _blacklist(f"qq:{BLOCKED}"))
    nemesis.findings[f"blacklist {saved.status_code}"] += saved.status_code != 200
    await asyncio.sleep(ACTS_WITHIN)
    for bot in crowd.bots:
        if bot.online:
            bot.say_barred(bot.groups[0], BLOCKED)


def _blacklist(*users: str) -> dict[str, Any]:
    return {"permissions": {"blacklist": {"system": list(users)}}}


def _homes(client: redis.Redis, bots: list[Bot]) -> dict[str, list[Bot]]:
    """Incarnation of a nexus -> its bots."""
    homes: dict[str, list[Bot]] = {}
    for bot in bots:
        nexus: Any = client.hget(f"{PREFIX}bot:qq:{bot.self_id}", "nexus")
        homes.setdefault(nexus.decode() if nexus else "", []).append(bot)
    return homes
