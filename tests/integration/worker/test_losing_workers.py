"""Workers that die, freeze, or meet their double: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import asyncio
import signal

from tests.integration.worker.support import (
    EVENTS,
    Stage,
    Troupe,
    assert_all_once_and_in_order,
    event_of,
    slow_events,
    until,
)


async def test_the_lane_of_a_killed_worker_is_read_on_by_another(stage: Stage, troupe: Troupe) -> None:
    dying = await troupe.start("w1", concurrency=4)
    await troupe.start("w2", concurrency=4)
    await stage.put("w1", *slow_events())
    await stage.until_sent(20)
    dying.process.kill()
    await stage.until_sent(EVENTS)
    await stage.until_owned_by("w1", "")
    assert_all_once_and_in_order(await stage.sent())


async def test_a_frozen_worker_is_fenced_when_it_goes_on(stage: Stage, troupe: Troupe) -> None:
    frozen = await troupe.start("w1", concurrency=4)
    await troupe.start("w2", concurrency=4)
    await stage.put("w1", *slow_events())
    await stage.until_sent(20)
    frozen.process.send_signal(signal.SIGSTOP)
    await stage.until_owned_by("w1", "w2")
    frozen.process.send_signal(signal.SIGCONT)
    await stage.until_owned_by("w1", "w1")
    await stage.until_sent(EVENTS)
    assert_all_once_and_in_order(await stage.sent())
    await until(lambda: _counted(stage, "w1", "fenced"), timeout=15)


async def test_a_killed_worker_that_starts_again_at_once_takes_its_lane_at_once(stage: Stage, troupe: Troupe) -> None:
    dying = await troupe.start("w1", lease=60.0, concurrency=4)
    await stage.put("w1", *slow_events())
    await stage.until_sent(20)
    dying.process.kill()
    await dying.end()
    await troupe.start("w1", lease=60.0, probe=60.0, concurrency=4)
    await stage.until_sent(EVENTS)
    assert_all_once_and_in_order(await stage.sent())


async def test_the_older_of_two_workers_with_one_id_ends_with_75(stage: Stage, troupe: Troupe) -> None:
    older = await troupe.start("w1", concurrency=4)
    await stage.put("w1", *slow_events())
    newer = await troupe.start("w1", probe=0.3, concurrency=4)
    assert await older.end() == 75
    await stage.until_sent(EVENTS)
    assert_all_once_and_in_order(await stage.sent())
    assert newer.process.returncode is None
    assert (await stage.presence("w1"))["pid"] == str(newer.process.pid)


async def test_one_of_many_adopts(stage: Stage, troupe: Troupe) -> None:
    await asyncio.gather(*(troupe.start(f"w{n}") for n in range(3)))
    await stage.put("gone", *slow_events())
    await stage.redis.call("HSET", "botmatrix:own", "gone", "1|gone.00000000")
    await stage.until_sent(EVENTS)
    assert_all_once_and_in_order(await stage.sent())


async def test_an_event_that_kills_workers_is_dead_at_the_third(stage: Stage, troupe: Troupe) -> None:
    await stage.put("w1", event_of(0, user=2), event_of(0, die=True), event_of(1), event_of(0, user=3))
    for _ in range(3):
        assert await (await troupe.start("w1", joined=False)).end() == -signal.SIGKILL
    await troupe.start("w1")
    await stage.until_sent(3)
    assert sorted(await stage.sent()) == [(1, 1), (2, 0), (3, 0)]
    assert await stage.dead() == ["worker_died"]


async def test_a_handler_that_blocks_is_interrupted(stage: Stage, troupe: Troupe) -> None:
    worker = await troupe.start("w1")
    await stage.put("w1", event_of(0, block=30), event_of(1))
    await stage.until_sent(1)
    assert await stage.dead() == ["blocked"]
    assert worker.process.returncode is None


async def test_what_blocks_and_can_not_be_interrupted_ends_the_worker(stage: Stage, troupe: Troupe) -> None:
    worker = await troupe.start("w1", exit_after=1.0)
    await stage.put("w1", event_of(0, freeze=30))
    assert await worker.end() == 70
    assert "something_that_blocks" in worker.output()


async def test_c_code_that_keeps_the_interpreters_lock_ends_the_worker(stage: Stage, troupe: Troupe) -> None:
    worker = await troupe.start("w1", exit_after=0.5)
    await stage.put("w1", event_of(0, hog=True))
    assert await worker.end(timeout=30) == -signal.SIGVTALRM
    assert "_obey" in worker.output()


async def _counted(stage: Stage, worker_id: str, counter: str) -> bool:
    return int((await stage.presence(worker_id)).get(counter, "0")) > 0
