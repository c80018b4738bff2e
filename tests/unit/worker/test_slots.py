"""Slots: what only waits for plugins with processes of their own gives its place to another job, in bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import cast

import pytest
from tests.unit.worker.test_queues import hold, job

from botmatrix.worker.hold import Hold
from botmatrix.worker.job import Job
from botmatrix.worker.queues import SerialQueues
from botmatrix.worker.runner import Runner
from botmatrix.worker.slots import MOST_REPLACED, PATIENCE, Slots

SIZE = 2


class Waiting:
    """A runner whose jobs run until they are told to end; they are apart from the start if their key says so."""

    def __init__(self) -> None:
        self.apart: dict[Job, float] = {}
        self.begun: dict[Job, asyncio.Event] = {}

    async def run(self, job: Job) -> None:
        if job.key.startswith("apart"):
            self.apart[job] = time.monotonic()
        self.begun[job] = asyncio.Event()
        await self.begun[job].wait()


class Stage:
    """Slots at work on jobs of one lane."""

    def __init__(self) -> None:
        self.hold: Hold = hold()
        self.queues, self.runner = SerialQueues(), Waiting()
        self.slots = Slots(self.queues, cast("Runner", self.runner), SIZE)

    def add(self, key: str, count: int) -> list[Job]:
        """Jobs of a key each."""
        jobs = [job(f"{key}-{number}", number, of=self.hold) for number in range(count)]
        for one in jobs:
            self.queues.add(one)
        self.slots.kick()
        return jobs

    async def begun(self, count: int) -> None:
        """Until so many jobs have begun."""
        async with asyncio.timeout(10):
            while len(self.runner.begun) < count:
                await asyncio.sleep(PATIENCE / 4)

    async def end(self) -> None:
        """Have all jobs end, until none is left."""
        async with asyncio.timeout(10):
            while self.queues.running or self.queues.startable():
                for event in self.runner.begun.values():
                    event.set()
                await asyncio.sleep(0)
        assert (self.hold.startable, self.hold.parked, self.runner.apart) == (0, 0, {})


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    running = asyncio.create_task(stage.slots.run())
    await asyncio.sleep(0)
    yield stage
    running.cancel()
    await asyncio.wait([running])


async def test_another_job_runs_in_the_place_of_one_that_is_apart(stage: Stage) -> None:
    stage.add("apart", SIZE * 3)
    stage.add("here", SIZE)
    await stage.begun(SIZE * 4)
    assert stage.hold.parked == SIZE * 3
    await stage.end()


async def test_the_others_keep_their_places(stage: Stage) -> None:
    stage.add("here", SIZE)
    later = stage.add("apart", 1)
    await stage.begun(SIZE)
    await asyncio.sleep(PATIENCE * 2)
    assert later[0] not in stage.runner.begun
    await stage.end()


async def test_so_many_and_no_more(stage: Stage) -> None:
    most = SIZE * (MOST_REPLACED + 1)
    stage.add("apart", most + 5)
    await stage.begun(most)
    await asyncio.sleep(PATIENCE * 2)
    assert len(stage.runner.begun) == most
    await stage.end()


async def test_afterwards_there_are_as_many_slots_as_before(stage: Stage) -> None:
    stage.add("apart", SIZE * 4)
    await stage.begun(SIZE * 4)
    await stage.end()
    before = len(stage.runner.begun)
    stage.add("here", SIZE + 3)
    await stage.begun(before + SIZE)
    await asyncio.sleep(PATIENCE * 2)
    assert len(stage.runner.begun) == before + SIZE
    await stage.end()


async def test_one_that_asks_a_person_meanwhile_is_counted_once(stage: Stage) -> None:
    (asking, *_) = stage.add("apart", SIZE + 1)
    await stage.begun(SIZE + 1)
    with stage.slots.lent(asking):
        assert stage.hold.parked == 1
        assert asking not in stage.runner.apart
    assert asking in stage.runner.apart
    await stage.end()
