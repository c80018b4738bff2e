"""Tasks in PostgreSQL: made, changed, set off exactly once, tried again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from botmatrix.skills.model import SkillResult
from botmatrix.store.attempts import Attempts, End
from botmatrix.store.engine import Database
from botmatrix.store.executions import Executions, Seen, Sent, Wanted
from botmatrix.store.firing import Fire, Firing
from botmatrix.store.tables import Task
from botmatrix.store.tags import Tagged, Tags
from botmatrix.store.tasks import Tasks, TooManyTasks, UnknownTask, WantedTasks
from botmatrix.tasks.definition import Definition
from botmatrix.tasks.model import ActionType, BadTask, TargetType, TaskType

SAY = {"bot_id": "qq:1", "group_id": "7", "message": "hi"}


class Stand:
    """Everything about tasks, and a hand on their moments."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.tasks, self.firing, self.tags = Tasks(database), Firing(database), Tags(database)
        self.executions, self.attempts = Executions(database), Attempts(database)

    async def make(self, type: TaskType = TaskType.CRON, **given: Any) -> Task:
        configs = {
            TaskType.CRON: {"cron": "0 0 1 1 *"},
            TaskType.DELAYED: {"delay": 0},
            TaskType.ONCE: {"time": "2099-01-01T00:00:00Z"},
            TaskType.CONDITION: {"event": "message"},
        }
        described: dict[str, Any] = {
            **{"name": "t", "type": type, "trigger_config": configs[type]},
            **{"action_type": ActionType.SEND_MESSAGE, "action_params": SAY},
        }
        return await self.tasks.create(Definition(**{**described, **given}), "admin")

    async def come(self, task: Task, ago: float = 1.0) -> None:
        """Its moment was so many seconds ago."""
        await self.say(
            "UPDATE tasks SET next_run_time = now() - make_interval(secs => :ago) WHERE id = :id", ago=ago, id=task.id
        )

    async def say(self, statement: str, **about: Any) -> None:
        async with self._database.connection() as connection:
            await connection.execute(text(statement), about)

    async def fire(self, following: datetime | None = None) -> int:
        due, _ = await self.firing.due(1000)
        return await self.firing.fire([Fire(one, following) for one in due])

    async def of(self, task: Task) -> list[Seen]:
        """Its executions, the oldest first."""
        found, _ = await self.executions.find(Wanted(task_id=task.id, limit=500))
        return found[::-1]


@pytest.fixture
async def stand(database_url: str) -> AsyncIterator[Stand]:
    database = Database(database_url, part="test")
    yield Stand(database)
    await database.close()


async def test_many_that_see_the_same_moment_set_it_off_once(stand: Stand) -> None:
    tasks = [await stand.make() for _ in range(20)]
    for task in tasks:
        await stand.come(task)
    due, _ = await stand.firing.due(100)
    later = datetime.now(UTC) + timedelta(days=1)
    fires = [Fire(one, later) for one in due]
    made = await asyncio.gather(*(stand.firing.fire(fires) for _ in range(8)))
    assert sum(made) + await stand.firing.fire(fires) == 20
    for task in tasks:
        (one,) = await stand.of(task)
        assert (one.status, one.params, one.action_type) == ("pending", SAY, "send_message")
        assert (await stand.tasks.get(task.id)).next_run_time == later
    assert await stand.firing.fire(fires) == 0


async def test_a_task_that_was_changed_since_it_was_seen_is_looked_at_again(stand: Stand) -> None:
    task = await stand.make()
    await stand.come(task)
    due, _ = await stand.firing.due(1)
    await stand.tasks.edit(task.id, {"name": "other"})
    assert await stand.firing.fire([Fire(due[0], None)]) == 0
    assert (await stand.firing.due(1))[0][0].version > due[0].version


@pytest.mark.parametrize(("type", "status"), [("delayed", "completed"), ("once", "completed"), ("cron", "disabled")])
async def test_what_does_not_come_again_is_over(stand: Stand, type: str, status: str) -> None:
    task = await stand.make(TaskType(type))
    await stand.come(task)
    assert await stand.fire(None) == 1
    task = await stand.tasks.get(task.id)
    assert (task.status, task.next_run_time) == (status, None)
    assert task.last_run_time is not None
    assert (await stand.firing.due(1))[0] == []


async def test_it_says_how_long_until_the_next_moment(stand: Stand) -> None:
    assert await stand.firing.due(1) == ([], None)
    await stand.make(TaskType.DELAYED, trigger_config={"delay": 100})
    _, soon = await stand.firing.due(1)
    assert soon is not None
    assert 30 < soon <= 100


async def test_tags_make_one_execution_for_each_group_and_friend(stand: Stand) -> None:
    for name, platform, type, target in (
        *(("vip", "qq", "group", "7"), ("vip", "qq", "friend", "9"), ("old", "qq", "group", "7")),
        *(("old", "qq", "group", "8"), ("vip", "kook", "group", "5"), ("other", "qq", "group", "6")),
    ):
        tagged = Tagged(name, platform, TargetType(type), target)
        assert await stand.tags.add(tagged)
        assert not await stand.tags.add(tagged)
    params = {"bot_id": "qq:1", "message": "hi"}
    said = await stand.make(tags=["vip", "old"], action_params=params)
    muted = await stand.make(tags=["vip"], action_type=ActionType.MUTE_GROUP, action_params={"bot_id": "qq:1"})
    nobody = await stand.make(tags=["nowhere"], action_params=params)
    for task in (said, muted, nobody):
        await stand.come(task)
    assert await stand.fire(None) == 5
    targets = [(one.params.get("group_id"), one.params.get("user_id")) for one in await stand.of(said)]
    assert sorted(targets, key=str) == [("7", None), ("8", None), (None, "9")]
    (one,) = await stand.of(muted)
    assert one.params == {"bot_id": "qq:1", "duration": 1800, "group_id": "7"}
    (one,) = await stand.of(nobody)
    assert (one.status, one.error) == ("failed", "no group or friend of this platform has one of its tags")
    assert await stand.tags.remove(Tagged("vip", "qq", TargetType.GROUP, "7"))
    assert not await stand.tags.remove(Tagged("vip", "qq", TargetType.GROUP, "7"))
    found, total = await stand.tags.find(q="vip", limit=10, offset=0)
    assert ([(one.platform, one.type) for one in found], total) == ([("kook", "group"), ("qq", "friend")], 2)


async def test_an_event_sets_a_task_off_once_and_not_while_it_rests(stand: Stand) -> None:
    task = await stand.make(TaskType.CONDITION)
    assert task.next_run_time is None
    made = await asyncio.gather(*(stand.firing.meet(task.id, "event 1", SAY) for _ in range(5)))
    assert sum(made) == 1
    assert await stand.firing.meet(task.id, "event 2", SAY) == 1
    resting = await stand.make(TaskType.CONDITION, trigger_config={"event": "message", "cooldown": 600})
    made = [await stand.firing.meet(resting.id, f"event {number}", SAY) for number in range(3)]
    assert made == [1, 0, 0]
    await stand.tasks.edit(task.id, {"status": "disabled"})
    assert await stand.firing.meet(task.id, "event 3", SAY) == 0


async def test_run_now_does_not_touch_the_schedule(stand: Stand) -> None:
    task = await stand.make()
    first, second = [await stand.firing.run(task.id, "bob\0") for _ in range(2)]
    assert len({*first, *second}) == 2
    assert (await stand.tasks.get(task.id)).next_run_time == task.next_run_time
    assert await stand.firing.run(task.id + 1, "bob") == []
    call = await stand.executions.make("weather", {}, limit=9, creator="")
    assert await stand.firing.run(call.task_id, "bob") == [], "a call is no task of anybody"


async def test_a_try_that_fails_is_made_again_with_growing_pauses_and_then_dead(stand: Stand) -> None:
    task = await stand.make(action_type=ActionType.SKILL_CALL, action_params={"skill": "weather"})
    (execution,) = await stand.firing.run(task.id, "bob")
    pauses = []
    for number in range(4):
        (claimed,) = await stand.executions.claim(10)
        assert (claimed.retry_count, claimed.skill) == (number, "weather")
        no = SkillResult(execution_id=execution, status="failed", error="no")
        assert await stand.executions.apply([no, no]) == [execution, ""], "a result is applied once"
        (seen,) = await stand.of(task)
        assert seen.actual_time is not None
        if seen.next_retry_time is not None:
            pauses.append(round((seen.next_retry_time - seen.actual_time).total_seconds()))
            assert (seen.status, await stand.executions.retry()) == ("failed", 0)
            await stand.say("UPDATE executions SET next_retry_time = now()")
            assert sum(await asyncio.gather(*(stand.executions.retry() for _ in range(4)))) == 1
    assert (pauses, seen.status, seen.error) == ([60, 240, 540], "dead", "no")
    assert await stand.executions.claim(10) == []


async def test_a_retry_has_a_time_limit_of_its_own_and_may_succeed(stand: Stand) -> None:
    task = await stand.make(
        action_type=ActionType.SKILL_CALL, action_params={"skill": "w"}, retry_delay=0.001, time_limit=50
    )
    (execution,) = await stand.firing.run(task.id, "bob")
    await stand.executions.claim(1)
    await stand.say("UPDATE executions SET deadline = now() - interval '1 s'")
    assert [one.execution_id for one in await stand.executions.expire()] == [execution]
    (seen,) = await stand.of(task)
    assert (seen.status, seen.error) == ("failed", "no worker with this skill came within the time limit")
    while not await stand.executions.retry():
        await asyncio.sleep(0.01)
    (claimed,) = await stand.executions.claim(1)
    assert 30 < (claimed.deadline - datetime.now(UTC)).total_seconds() < 51
    assert await stand.executions.apply([SkillResult(execution_id=execution, result="ok")]) == [execution]
    (seen,) = await stand.of(task)
    assert (seen.status, seen.retry_count, seen.next_retry_time) == ("success", 1, None)


async def test_actions_of_bots_end_once_for_each_try(stand: Stand) -> None:
    task = await stand.make()
    (execution,) = await stand.firing.run(task.id, "bob")
    await stand.executions.claim(1)
    assert [one.execution_id for one in await stand.attempts.watched(9, {execution})] == [execution]
    await stand.executions.running([Sent(execution, "", 0)])
    await stand.say("UPDATE executions SET due_at = now()")
    watched = await asyncio.gather(*(stand.attempts.watched(9) for _ in range(4)))
    assert Counter(map(len, watched)) == {0: 3, 1: 1}
    assert await stand.attempts.end([End(execution, 0, ok=False, error="x", again=False)]) == [execution]
    assert await stand.attempts.end([End(execution, 0, ok=True)]) == []
    (seen,) = await stand.of(task)
    assert (seen.status, seen.next_retry_time, seen.retry_count) == ("failed", None, 0)


async def test_an_execution_can_be_cancelled_until_it_has_ended(stand: Stand) -> None:
    task = await stand.make()
    (execution,) = await stand.firing.run(task.id, "bob")
    cancelled = await stand.attempts.cancel(execution, "cancelled by bob")
    assert cancelled is not None
    assert (cancelled.status, cancelled.error) == ("failed", "cancelled by bob")
    assert await stand.attempts.cancel(execution, "again") is None
    assert await stand.attempts.cancel("\0", "nobody") is None
    assert await stand.executions.claim(1) == []


async def test_pausing_and_changing_a_task(stand: Stand) -> None:
    task = await stand.make()
    before, paused = await stand.tasks.edit(task.id, {"status": "disabled"})
    assert (before.status, paused.status, paused.next_run_time) == ("pending", "disabled", None)
    await stand.tasks.edit(task.id, {"trigger_config": {"cron": "0 0 2 2 *"}})
    assert (await stand.tasks.get(task.id)).next_run_time is None
    _, on = await stand.tasks.edit(task.id, {"status": "pending", "max_retries": 1})
    assert on.next_run_time is not None
    assert (on.next_run_time.month, on.max_retries) == (2, 1)
    _, moved = await stand.tasks.edit(task.id, {"trigger_config": {"cron": "0 0 3 3 *"}})
    assert moved.next_run_time is not None
    assert moved.next_run_time.month == 3
    _, once = await stand.tasks.edit(
        task.id, {"type": TaskType.ONCE, "trigger_config": {"time": "2098-01-01T00:00:00Z"}}
    )
    await stand.come(once)
    await stand.fire(None)
    with pytest.raises(BadTask, match="has passed"):
        await stand.tasks.edit(task.id, {"trigger_config": {"time": "2020-01-01"}, "status": "pending"})
    await stand.tasks.delete(task.id)
    for wrong in (stand.tasks.get(task.id), stand.tasks.delete(task.id), stand.tasks.edit(task.id, {})):
        with pytest.raises(UnknownTask):
            await wrong


async def test_tasks_are_listed_without_the_calls_of_skills(stand: Stand) -> None:
    await stand.executions.make("weather", {}, limit=9, creator="")
    names = ["b_1", "a", "c"]
    for name in names:
        await stand.make(name=name)
    await stand.make(TaskType.CONDITION, name="d")
    found, total = await stand.tasks.find(WantedTasks(sort="-name", limit=2, offset=1))
    assert ([one.name for one in found], total) == (["c", "b_1"], 4)
    found, _ = await stand.tasks.find(WantedTasks(q="_"))
    assert [one.name for one in found] == ["b_1"]
    found, _ = await stand.tasks.find(WantedTasks(type="condition", status="pending", sort="next_run_time"))
    assert [one.name for one in found] == ["d"]
    version = await stand.tasks.conditions_version()
    assert [one.name for one in await stand.tasks.conditions()] == ["d"]
    await stand.tasks.edit(found[0].id, {"status": "disabled"})
    assert (await stand.tasks.conditions_version(), await stand.tasks.conditions()) != (version, [])


async def test_no_more_conditions_than_messages_can_bear(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botmatrix.store.tasks.MOST_CONDITIONS", 1)
    task = await stand.make(TaskType.CONDITION)
    with pytest.raises(TooManyTasks):
        await stand.make(TaskType.CONDITION)
    await stand.tasks.edit(task.id, {"status": "disabled"})
    await stand.make(TaskType.CONDITION)
    with pytest.raises(TooManyTasks):
        await stand.tasks.edit(task.id, {"status": "pending"})


async def test_the_expressions_of_all_conditions_are_not_too_large_together(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botmatrix.core.patterns.LARGEST_SUM", 300)
    large = {"event": "message", "regex": "(a|b|c){60}[0-9]{60}x"}
    await stand.make(TaskType.CONDITION, trigger_config=large)
    with pytest.raises(BadTask, match="too large together"):
        await stand.make(TaskType.CONDITION, trigger_config=large)
    assert len(await stand.tasks.conditions()) == 1


async def test_history_is_forgotten_when_it_is_old_and_over(stand: Stand) -> None:
    task = await stand.make()
    over, open_ = [(await stand.firing.run(task.id, "bob"))[0] for _ in range(2)]
    await stand.attempts.cancel(over, "")
    assert await stand.executions.forget() == 0
    await stand.say("UPDATE executions SET trigger_time = now() - interval '31 days'")
    assert await stand.executions.forget() == 1
    assert [one.execution_id for one in await stand.of(task)] == [open_]
