"""What somebody saves by REST must act in every nexus, within a second; what a bot is asked, that bot does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from bench.parts import Part
from tests.chaos.bots import Bot, Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import read_starts

ACTS_WITHIN = 1.0
BLOCKED = 777
RULED_GROUP = 880_000_000
ANSWERED_WITHIN = 15.0


async def asks(nemesis: Nemesis, bots: Iterable[Bot]) -> None:
    """Finding `action ...`: a bot that is online did not answer, or another one did."""
    for bot in bots:
        asked = {"bot": f"qq:{bot.self_id}", "action": "get_login_info"}
        answer = await nemesis.stack.console.post("/api/action", asked)
        if answer.status_code != 200 or answer.json()["data"]["user_id"] != bot.self_id:
            nemesis.findings[f"action {answer.status_code} {answer.text[:80]}"] += 1


async def blocks(nemesis: Nemesis, crowd: Crowd) -> None:
    """Somebody on the blacklist talks to every bot: the checker sees to it that no handler hears of it."""
    await save(nemesis, "/api/admin/core", {"permissions": {"blacklist": {"system": [f"qq:{BLOCKED}"]}}})
    for bot in crowd.bots:
        if bot.online:
            bot.say_barred(bot.groups[0], BLOCKED)


async def rule(nemesis: Nemesis, worker: Part) -> None:
    """From now on one worker has certain groups."""
    await save(nemesis, "/api/admin/routing", {"key": f"group_{RULED_GROUP // 1000}*", "worker_id": worker.name})


async def is_routed(nemesis: Nemesis, crowd: Crowd, worker: Part) -> None:
    """Finding `elsewhere`: what is said to any bot in these groups was handled by another worker, or by none."""
    numbers = {bot.say(RULED_GROUP + index) for index, bot in enumerate(crowd.bots) if bot.online}
    said = crowd.oracle.said
    await crowd.quiet_until(lambda: all(said[number].answered_at for number in numbers), ANSWERED_WITHIN)
    starts = await asyncio.to_thread(read_starts, nemesis.stack.handled)
    there = {start.number for start in starts if start.run.startswith(worker.name + ".")}
    nemesis.findings["elsewhere"] += len(numbers - there)


async def save(nemesis: Nemesis, path: str, body: dict[str, Any]) -> None:
    """Returns when it must act. Finding `not saved ...`."""
    saved = await nemesis.stack.console.post(path, body)
    if saved.status_code != 200:
        nemesis.findings[f"not saved: {path} {saved.status_code} {saved.text[:80]}"] += 1
    await asyncio.sleep(ACTS_WITHIN)
