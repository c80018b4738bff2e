"""How much of a lane is read ahead, and when reading goes on."""

from __future__ import annotations

import asyncio

from botmatrix.bus.lanes import Lane, Settlement
from botmatrix.worker.hold import Hold

LANE = Lane("w1", "g1")


async def test_twice_the_concurrency_may_be_startable() -> None:
    hold = Hold(LANE, {}, concurrency=4)
    assert hold.room() == 8
    for _ in range(8):
        hold.started()
    assert hold.room() == 0


async def test_entries_behind_others_are_bounded_too() -> None:
    hold = Hold(LANE, {}, concurrency=4)
    hold.entries.update(b"%d" % n for n in range(30))
    assert hold.room() == 2


async def test_reading_goes_on_when_it_is_worth_a_round_trip() -> None:
    hold = Hold(LANE, {}, concurrency=4)
    for _ in range(8):
        hold.started()
    waiting = asyncio.create_task(hold.wait_for_room())
    await asyncio.sleep(0)
    hold.stopped()
    await asyncio.sleep(0)
    assert not waiting.done()
    hold.stopped()
    await waiting


async def test_losing_the_lane_ends_the_wait() -> None:
    hold = Hold(LANE, {}, concurrency=1)
    hold.started()
    hold.started()
    waiting = asyncio.create_task(hold.wait_for_room())
    await asyncio.sleep(0)
    hold.lose()
    await waiting


async def test_clean_waits_until_what_has_ended_is_settled() -> None:
    hold = Hold(LANE, {}, concurrency=1)
    hold.entries.add(b"1-0")
    hold.settle(Settlement(b"1-0", "", 0))
    waiting = asyncio.create_task(hold.clean())
    await asyncio.sleep(0)
    assert not waiting.done()
    hold.ended.popleft()
    hold.forget([b"1-0"])
    await waiting
