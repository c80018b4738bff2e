"""What happens in each phase while the bots talk: rows of blows, and what must be seen in between."""

from __future__ import annotations

import asyncio
import time

from tests.chaos.bots import Bot, Crowd
from tests.chaos.nemesis import Nemesis
from tests.chaos.phases import DRAINED_AFTER, FREEZE


async def kill_workers(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Most are back at once under their id; one in eight stays away until another worker has adopted its lane."""

    async def at_once(count: int) -> None:
        for _ in range(count):
            await nemesis.kill_worker()
            await nemesis.pause(1.0, 3.0)

    async def for_long(count: int) -> None:
        for _ in range(count):
            await nemesis.kill_worker_for_long()
            await nemesis.pause(0.5, 2.0)

    long = max(1, times // 8)
    await asyncio.gather(at_once(times - long), for_long(long))


async def freeze_workers(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Longer than the lease; the frozen one wakes up in the middle of its handlers, another has its lane.

    Its late settlements must have no effect, and it must say how many there were.
    """
    for _ in range(times):
        before = await asyncio.to_thread(nemesis.stack.fenced)
        await nemesis.freeze_worker(FREEZE)
        await nemesis.see_fenced(before)


async def stop_nexus(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    for _ in range(times):
        await nemesis.stop_nexus()
        await nemesis.pause(1.0, 3.0)


async def kill_nexus(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    for _ in range(times):
        await nemesis.kill_nexus()
        await nemesis.pause(1.0, 4.0)


async def kill_valkey(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """No part may be restarted; an event said once the engine answers again is the probe of recovery."""
    for _ in range(times):
        await probe(nemesis, crowd, await nemesis.kill_valkey())
        await nemesis.pause(1.0, 3.0)


async def freeze_valkey(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Longer than the time limit of a call."""
    for _ in range(times):
        await probe(nemesis, crowd, await nemesis.freeze_valkey(8.0))
        await nemesis.pause(1.0, 3.0)


async def probe(nemesis: Nemesis, crowd: Crowd, since: float) -> None:
    """Say one event and note how long after `since` its reply came."""
    bot = nemesis.rng.choice([bot for bot in crowd.bots if bot.online])
    number = bot.say(nemesis.rng.choice(bot.groups))
    await crowd.answered(number, DRAINED_AFTER)
    answered_at = crowd.oracle.said[number].answered_at or time.monotonic()
    nemesis.recoveries.append(answered_at - since)


async def calm(nemesis: Nemesis, crowd: Crowd, seconds: int) -> None:
    """Nobody is struck: nothing may be handled twice either."""
    await asyncio.sleep(seconds)


async def lose_worker(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """kill -9 and no restart: the others must see to its lane, and its conversations go on there, in order."""
    worker = nemesis.pick_worker("worker kill -9, for good")
    await asyncio.to_thread(worker.kill)
    await asyncio.sleep(12)


async def revive(nemesis: Nemesis, crowd: Crowd, seconds: int) -> None:
    """Workers that an event kills are started again, as a supervisor would; the event must become a dead letter."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for worker in nemesis.stack.workers:
            if not worker.running:
                nemesis.count("worker killed by an event")
                worker.kill()
                worker.start()
        await asyncio.sleep(0.3)


async def lose_replies(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """What was asked of Valkey is done, and nobody hears of it; then the parts ask again."""
    assert nemesis.stack.proxy is not None
    for _ in range(times):
        nemesis.count("replies of valkey lost")
        async with asyncio.TaskGroup() as group:
            group.create_task(nemesis.stack.proxy.lose_replies(6.0))
            await asyncio.sleep(0.3)
            crowd.burst()
        await nemesis.pause(1.0, 3.0)


async def refuse_on_a_lane(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """One lane takes nothing for a second, while its worker is asleep: events wait for it."""
    for _ in range(times):
        await nemesis.refuse_on_a_lane(1.0, crowd.burst)
        await nemesis.pause(1.0, 2.0)


async def fill_valkey(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Memory at its limit: nothing new is taken, but what is there must drain."""
    for _ in range(times):
        await nemesis.fill_valkey(5.0)
        await nemesis.pause(1.0, 2.0)


async def settle_by_another_hand(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """Some entries are acknowledged by somebody else while they are handled: exactly those are not answered."""
    for _ in range(times):
        for number in await asyncio.to_thread(nemesis.take_some):
            crowd.oracle.taken.add(number)
            for bot in crowd.bots:
                bot.give_up(number)
        await asyncio.sleep(0.1)


async def connect_twice(nemesis: Nemesis, crowd: Crowd, times: int) -> None:
    """A bot's newest link is at another nexus: the older one must be closed as soon as its nexus learns of it."""
    nemesis.count("bot dials a second nexus")
    first = crowd.bots[0]
    first.redials = False
    second = Bot(0, len(first.groups), crowd.oracle, first.style, nemesis.rng)
    crowd.add(second, nemesis.stack.url_of(1))
    deadline = time.monotonic() + 8
    while first.online and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    if first.online:
        nemesis.findings["usurped"] += 1
    second.speaking = True
    second.speak()
    await asyncio.sleep(3)
