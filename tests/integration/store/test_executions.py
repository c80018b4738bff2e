"""Executions: each step is taken once, and what has ended is never changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from botmatrix.skills.model import SkillResult
from botmatrix.store.engine import Database
from botmatrix.store.executions import Executions, Sent, Wanted


@pytest.fixture
async def executions(database_url: str) -> AsyncIterator[Executions]:
    database = Database(database_url, part="test")
    yield Executions(database)
    await database.close()


async def status(executions: Executions, execution: str) -> str:
    (found,), _ = await executions.find(Wanted(execution_id=execution))
    return found.status


async def test_a_call_has_both_ids_and_is_claimed_by_one(executions: Executions) -> None:
    made = await executions.make("weather", {"city": "上海"}, limit=60, creator="admin")
    assert made.task_id > 0
    assert (made.params, made.status) == ({"city": "上海", "skill": "weather"}, "pending")
    assert await executions.claim(10) == []  # it is for the nexus that was told
    claimed: list[str] = []
    async with asyncio.timeout(20):
        while not claimed:
            await asyncio.sleep(0.05)
            claims = await asyncio.gather(*(executions.claim(10) for _ in range(4)))
            claimed = [one.execution_id for claim in claims for one in claim]
    assert claimed == [made.execution_id]
    await executions.running([Sent(made.execution_id, "w1", 0)])
    assert await status(executions, made.execution_id) == "running"


async def test_a_result_is_applied_once(executions: Executions) -> None:
    made = await executions.make("weather", {}, limit=60, creator="")
    first = SkillResult(execution_id=made.execution_id, worker_id="w1", result="sunny\0")
    again = SkillResult(execution_id=made.execution_id, worker_id="w2", status="failed", error="late")
    assert await executions.apply([first, again, first]) == [made.execution_id, "", ""]
    await executions.running([Sent(made.execution_id, "w9", 0)])
    (found,), _ = await executions.find(Wanted(execution_id=made.execution_id))
    assert (found.status, found.result, found.error, found.worker_id) == ("success", "sunny\ufffd", "", "w1")
    assert found.actual_time is not None


@pytest.mark.parametrize("absent", ["", "<nil>", "0", None])
async def test_without_an_execution_id_the_newest_open_one_of_the_task_is_meant(
    executions: Executions, absent: str | None
) -> None:
    other = await executions.make("weather", {}, limit=60, creator="")
    made = await executions.make("weather", {}, limit=60, creator="")
    result = SkillResult(execution_id=absent, task_id=str(made.task_id), status="failed", error="no")
    assert await executions.apply([result, result]) == [made.execution_id, ""]
    assert await status(executions, other.execution_id) == "pending"


async def test_results_for_nobody_change_nothing(executions: Executions) -> None:
    made = await executions.make("weather", {}, limit=60, creator="")
    strange = [
        SkillResult(execution_id="nobody's"),
        SkillResult(task_id="not a number"),
        SkillResult(task_id="9" * 40),
        SkillResult(execution_id="x\0", task_id=str(made.task_id)),
        SkillResult(),
    ]
    assert await executions.apply(strange) == [""] * 5
    assert await status(executions, made.execution_id) == "pending"


async def test_who_declined_is_remembered_and_the_call_is_due_again(executions: Executions) -> None:
    made = await executions.make("weather", {}, limit=60, creator="")
    await executions.claim(10)
    await executions.running([Sent(made.execution_id, "w1", 0)])
    declined = SkillResult(execution_id=made.execution_id, worker_id="w1", status="declined")
    assert await executions.apply([declined, declined]) == [made.execution_id, ""]
    await executions.running([Sent(made.execution_id, "w1", 0)])  # who says so late speaks of the attempt before
    (again,) = await executions.claim(10)
    assert (again.declined, again.attempt) == (["w1"], 1)


async def test_a_time_limit_ends_what_waits_and_what_runs(executions: Executions) -> None:
    waits = await executions.make("weather", {}, limit=0.05, creator="")
    runs = await executions.make("weather", {}, limit=0.2, creator="")
    kept = await executions.make("weather", {}, limit=60, creator="")
    await executions.claim(10)
    await executions.waiting([waits.execution_id, kept.execution_id])
    await executions.running([Sent(runs.execution_id, "w1", 0)])
    ended: list[str] = []
    async with asyncio.timeout(10):
        while len(ended) < 2:
            ended += [one.execution_id for one in await executions.expire()]
    assert sorted(ended) == sorted([waits.execution_id, runs.execution_id])
    (found,), _ = await executions.find(Wanted(execution_id=waits.execution_id))
    assert (found.status, found.error) == ("failed", "no worker with this skill came within the time limit")
    assert await status(executions, kept.execution_id) == "pending"
    assert await executions.apply([SkillResult(execution_id=runs.execution_id)]) == [""]
    assert await executions.known(runs.execution_id)
    assert await executions.forget() == 0


async def test_who_declines_a_later_attempt_has_it_tried_again_after_a_moment(executions: Executions) -> None:
    made = await executions.make("weather", {}, limit=60, creator="")
    first = SkillResult(execution_id=made.execution_id, worker_id="w1", status="declined", attempt=0)
    second = SkillResult(execution_id=made.execution_id, worker_id="w1", status="declined", attempt=1)
    await executions.claim(10)
    assert await executions.apply([first, first]) == [made.execution_id, ""]
    await executions.claim(10)
    assert await executions.apply([first, second, second]) == ["", made.execution_id, ""]
    assert await executions.claim(10) == []
    (seen,), _ = await executions.find(Wanted(execution_id=made.execution_id))
    assert (seen.declined, seen.attempt, seen.status) == (["w1"], 2, "pending")
