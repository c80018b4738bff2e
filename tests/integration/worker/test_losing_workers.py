"""Workers that die, freeze, or meet their double: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import asyncio
import signal

from tests.integration.worker.support import Stage, Troupe, event_of, until

from botmatrix.bus.envelope import Envelope

PEOPLE, EACH = range(1, 11), 20


async def test_the_lane_of_a_killed_worker_is_read_on_by_another(stage: Stage, troupe: Troupe) -> None:
    dying = await troupe.start("w1", concurrency=4)
    await troupe.start("w2", concurrency=4)
    await stage.put("w1", *_slow_events())
    await until(lambda: _sent(stage, 20))
    dying.process.kill()
    await until(lambda: _sent(stage, len(PEOPLE) * EACH))
    await until(lambda: _retired(stage, "w1"))
    await _all_once_and_in_order(stage)


async def test_a_frozen_worker_is_fenced_when_it_goes_on(stage: Stage, troupe: Troupe) -> None:
    frozen = await troupe.start("w1", concurrency=4)
    await troupe.start("w2", concurrency=4)
    await stage.put("w1", *_slow_events())
    await until(lambda: _sent(stage, 20))
    frozen.process.send_signal(signal.SIGSTOP)
    await until(lambda: _owned_by(stage, "w1", "w2"))
    frozen.process.send_signal(signal.SIGCONT)
    await until(lambda: _owned_by(stage, "w1", "w1"))
    await until(lambda: _sent(stage, len(PEOPLE) * EACH))
    await _all_once_and_in_order(stage)
    await until(lambda: _counted(stage, "w1", "fenced"), timeout=15)


async def test_a_killed_worker_that_starts_again_at_once_takes_its_lane_at_once(stage: Stage, troupe: Troupe) -> None:
    dying = await troupe.start("w1", lease=60.0, concurrency=4)
    await stage.put("w1", *_slow_events())
    await until(lambda: _sent(stage, 20))
    dying.process.kill()
    await dying.end()
    await troupe.start("w1", lease=60.0, probe=60.0, concurrency=4)
    await until(lambda: _sent(stage, len(PEOPLE) * EACH))
    await _all_once_and_in_order(stage)


async def test_the_older_of_two_workers_with_one_id_ends_with_75(stage: Stage, troupe: Troupe) -> None:
    older = await troupe.start("w1", concurrency=4)
    await stage.put("w1", *_slow_events())
    newer = await troupe.start("w1", probe=0.3, concurrency=4)
    assert await older.end() == 75
    await until(lambda: _sent(stage, len(PEOPLE) * EACH))
    await _all_once_and_in_order(stage)
    assert newer.process.returncode is None
    assert (await stage.presence("w1"))["pid"] == str(newer.process.pid)


async def test_one_of_many_adopts(stage: Stage, troupe: Troupe) -> None:
    await asyncio.gather(*(troupe.start(f"w{n}") for n in range(3)))
    await stage.put("gone", *_slow_events())
    await stage.redis.call("HSET", "botmatrix:own", "gone", "1|gone.00000000")
    await until(lambda: _sent(stage, len(PEOPLE) * EACH))
    await _all_once_and_in_order(stage)


async def test_an_event_that_kills_workers_is_dead_at_the_third(stage: Stage, troupe: Troupe) -> None:
    await stage.put("w1", event_of(0, user=2), event_of(0, die=True), event_of(1), event_of(0, user=3))
    for _ in range(3):
        assert await (await troupe.start("w1", joined=False)).end() == -signal.SIGKILL
    await troupe.start("w1")
    await until(lambda: _sent(stage, 3))
    assert sorted(await stage.sent()) == [(1, 1), (2, 0), (3, 0)]
    assert await stage.dead() == ["worker_died"]


async def test_a_handler_that_blocks_is_interrupted(stage: Stage, troupe: Troupe) -> None:
    worker = await troupe.start("w1")
    await stage.put("w1", event_of(0, block=30), event_of(1))
    await until(lambda: _sent(stage, 1), timeout=5)
    assert await stage.dead() == ["blocked"]
    assert worker.process.returncode is None


async def test_what_blocks_and_can_not_be_interrupted_ends_the_worker(stage: Stage, troupe: Troupe) -> None:
    worker = await troupe.start("w1", exit_after=1.0)
    await stage.put("w1", event_of(0, freeze=30))
    assert await worker.end() == 70
    assert "something_that_blocks" in worker.output()


def _slow_events() -> list[Envelope]:
    return [event_of(n, user=user, sleep=0.01) for n in range(EACH) for user in PEOPLE]


async def _all_once_and_in_order(stage: Stage) -> None:
    sent = await stage.sent()
    for user in PEOPLE:
        assert [n for who, n in sent if who == user] == list(range(EACH))


async def _sent(stage: Stage, count: int) -> bool:
    return await stage.sent_count() >= count


async def _retired(stage: Stage, lane: str) -> bool:
    return await stage.owner(lane) == ""


async def _owned_by(stage: Stage, lane: str, worker_id: str) -> bool:
    return (await stage.owner(lane)).startswith(worker_id + ".")


async def _counted(stage: Stage, worker_id: str, counter: str) -> bool:
    return int((await stage.presence(worker_id)).get(counter, "0")) > 0
