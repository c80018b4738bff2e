"""Redis that dies, is paused, or comes back empty under a working worker."""

from __future__ import annotations

import asyncio
import signal

from tests.conftest import ValkeyProcess
from tests.integration.worker.conftest import Running
from tests.integration.worker.support import (
    EVENTS,
    KEYS,
    Stage,
    assert_all_once_and_in_order,
    event_of,
    fast_options,
    slow_events,
    until,
)

from botmatrix.bus.envelope import encode


async def test_nothing_is_lost_or_sent_twice_when_redis_is_killed(
    own_stage: Stage, own_valkey: ValkeyProcess, running: Running
) -> None:
    async with running(own_stage, fast_options("w1", concurrency=4)):
        await own_stage.put("w1", *slow_events())
        for count in (20, 80, 140):
            await own_stage.until_sent(count)
            own_valkey.stop(kill=True)
            own_valkey.start()
        await own_stage.until_sent(EVENTS)
        await own_stage.until_settled("w1")
        assert_all_once_and_in_order(await own_stage.sent())


async def test_what_a_lost_answer_had_delivered_is_handled(
    own_stage: Stage, own_valkey: ValkeyProcess, running: Running
) -> None:
    async with running(own_stage, fast_options("w1")):
        epoch = (await own_stage.redis.call("HGET", KEYS.own, "w1")).decode().partition("|")[0]
        lane = KEYS.lane("w1")
        # Cut the worker off and take the entry in its name, before it can be back.
        await own_stage.redis.pipeline(
            ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
            ("XADD", lane, "*", "payload", encode(event_of(0))),
            ("XREADGROUP", "GROUP", f"g{epoch}", "owner", "STREAMS", lane, ">"),
        )
        await own_stage.until_sent(1)


async def test_a_worker_goes_on_after_a_pause_of_redis(
    own_stage: Stage, own_valkey: ValkeyProcess, running: Running
) -> None:
    assert own_valkey.process is not None
    async with running(own_stage, fast_options("w1", concurrency=4)):
        await own_stage.put("w1", *slow_events())
        await own_stage.until_sent(20)
        own_valkey.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(2.5)  # longer than the lease
        own_valkey.process.send_signal(signal.SIGCONT)
        await own_stage.until_sent(EVENTS)
        assert_all_once_and_in_order(await own_stage.sent())


async def test_a_worker_joins_anew_when_redis_lost_everything(own_stage: Stage, running: Running) -> None:
    async with running(own_stage, fast_options("w1", announce=3600.0)):
        await own_stage.redis.call("FLUSHALL")
        await own_stage.until_owned_by("w1", "w1")
        await until(lambda: own_stage.presence("w1"))
        await own_stage.put("w1", event_of(0))
        await own_stage.until_sent(1)


async def test_a_full_redis_is_emptied_by_a_worker_that_starts_and_stops(
    own_stage: Stage, own_valkey: ValkeyProcess, running: Running
) -> None:
    await own_stage.put("w1", event_of(0), event_of(1, user=2))
    (first, _), *_ = await own_stage.redis.call("XRANGE", KEYS.lane("w1"), "-", "+")
    await own_stage.redis.call("HSET", KEYS.deaths("w1"), first, "2")
    await own_stage.redis.call("HSET", KEYS.presence("w1"), "transport", "stream")
    await own_stage.redis.call("CONFIG", "SET", "maxmemory", "1")
    async with running(own_stage, fast_options("w1")):
        await own_stage.until_settled("w1")
