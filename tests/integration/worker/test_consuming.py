"""One worker and its lane: order, parallelism, retries, dead letters, an orderly stop."""

from __future__ import annotations

import pytest
from tests.integration.worker.conftest import Running
from tests.integration.worker.support import KEYS, Stage, event_of, fast_options, until

from botmatrix.worker import runner


async def test_every_event_is_answered_once_and_in_order_for_each_person(stage: Stage, running: Running) -> None:
    people, each = range(1, 21), 25
    async with running(stage, fast_options("w1")) as handler:
        await stage.put("w1", *(event_of(n, user=user) for n in range(each) for user in people))
        await stage.until_sent(each * len(people))
        sent = await stage.sent()
    assert len(set(sent)) == len(sent)
    for user in people:
        assert [n for who, n in sent if who == user] == list(range(each))
        assert [n for who, n in handler.order if who == user] == list(range(each))
    assert await stage.backlog("w1") == 0


async def test_people_do_not_wait_for_each_other(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1", concurrency=8)) as handler:
        await stage.put("w1", *(event_of(0, user=user, sleep=0.3) for user in range(1, 9)))
        await stage.until_sent(8)
    assert handler.most_at_once == 8


async def test_one_person_with_many_slow_events_does_not_hold_up_the_others(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1", concurrency=2)):
        await stage.put("w1", *(event_of(n, user=1, sleep=0.5) for n in range(10)), event_of(0, user=2))

        async def other_answered() -> bool:
            return (2, 0) in await stage.sent()

        await until(other_answered)
        assert (await stage.sent()).index((2, 0)) <= 1, "one of ten was before it at most"


async def test_concurrency_is_bounded(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1", concurrency=3)) as handler:
        await stage.put("w1", *(event_of(0, user=user, sleep=0.02) for user in range(1, 31)))
        await stage.until_sent(30)
    assert handler.most_at_once == 3


async def test_few_entries_are_read_ahead(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1", concurrency=2)):
        await stage.put("w1", *(event_of(0, user=user, sleep=0.5) for user in range(1, 41)))
        await stage.until_sent(2)
        pending = await stage.redis.call("XPENDING", KEYS.lane("w1"), await _group(stage))
        assert 0 < pending[0] <= 4


async def test_a_retry_is_handled_again_before_what_comes_after_it(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1")) as handler:
        await stage.put("w1", event_of(0, retry=2), event_of(1))
        await stage.until_sent(2)
        assert await stage.sent() == [(1, 0), (1, 1)]
    assert handler.order == [(1, 0), (1, 0), (1, 0), (1, 1)]


async def test_an_event_that_is_retried_for_too_long_is_a_dead_letter(
    stage: Stage, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RETRY_LIMIT", 0.3)
    async with running(stage, fast_options("w1")) as handler:
        await stage.put("w1", event_of(0, retry=1000), event_of(1), event_of(0, user=2))
        await stage.until_settled("w1")
        assert await stage.dead() == ["retried for 0 s: as told"]
        assert await stage.sent() == [(2, 0), (1, 1)]
    assert handler.order.count((1, 0)) > 2


async def test_what_a_handler_raises_is_a_dead_letter_and_the_next_event_is_answered(
    stage: Stage, running: Running
) -> None:
    async with running(stage, fast_options("w1")):
        await stage.put("w1", event_of(0, **{"raise": True}), event_of(1))
        await stage.until_sent(1)
        assert await stage.dead() == ["RuntimeError: as told"]
        assert await stage.sent() == [(1, 1)]


async def test_what_cannot_be_read_is_a_dead_letter(stage: Stage, running: Running) -> None:
    future = event_of(0)
    future.v = 99
    async with running(stage, fast_options("w1")):
        await stage.put_raw("w1", b"{", b"\xff\xfe", b"")
        await stage.put("w1", future, event_of(1))
        await stage.until_sent(1)
        await stage.until_settled("w1")
        assert await stage.dead() == ["undecodable", "undecodable", "undecodable", "unknown_version"]


async def test_an_orderly_stop_settles_what_runs_and_gives_the_lane_back(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1")) as handler:
        await stage.put("w1", event_of(0, sleep=0.3))

        async def started() -> bool:
            return bool(handler.order)

        await until(started)
    assert await stage.sent() == [(1, 0)]
    assert await stage.owner("w1") == ""
    assert await stage.presence("w1") == {}


async def test_what_the_grace_does_not_suffice_for_is_delivered_again(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1", grace=0.2)) as handler:
        await stage.put("w1", event_of(0, sleep=20))

        async def started() -> bool:
            return bool(handler.order)

        await until(started)
    assert await stage.backlog("w1") == 1


async def test_a_drained_worker_gives_up_its_lane_and_takes_it_again(stage: Stage, running: Running) -> None:
    async with running(stage, fast_options("w1")):
        await stage.redis.call("SET", KEYS.drain("w1"), "1")
        await stage.until_owned_by("w1", "")
        assert (await stage.presence("w1"))["draining"] == "1"
        await stage.redis.call("DEL", KEYS.drain("w1"))
        await stage.until_owned_by("w1", "w1")
        await stage.put("w1", event_of(0))
        await stage.until_sent(1)


async def _group(stage: Stage) -> str:
    own = await stage.redis.call("HGET", KEYS.own, "w1")
    return "g" + str(own.decode().partition("|")[0])
