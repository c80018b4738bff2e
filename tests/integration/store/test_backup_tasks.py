"""Tasks in a backup: they come back paused, beside the calls that are under way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from botmatrix.store.backup import backup, restore
from botmatrix.store.backup_plan import choose
from botmatrix.store.engine import Database
from botmatrix.store.skill_tables import Task
from botmatrix.store.tags import Tagged, Tags
from botmatrix.store.tasks import Tasks, WantedTasks
from botmatrix.tasks.definition import Definition
from botmatrix.tasks.model import ActionType, BadTask, TargetType, TaskType

HIDDEN = """INSERT INTO tasks (name, type, action_type, action_params, hidden, creator)
    VALUES ('call', 'once', 'skill_call', '{}', true, 'me') RETURNING id"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, part="test")
    yield database
    await database.close()


async def make(tasks: Tasks, name: str, type: TaskType, **config: object) -> Task:
    definition = Definition(
        name, type, dict(config), ActionType.SEND_MESSAGE, {"bot_id": "qq:1", "message": "hi"}, tags=["t"]
    )
    return await tasks.create(definition, "me")


async def add_hidden(database: Database) -> int:
    async with database.session() as session:
        return int(await session.scalar(text(HIDDEN)) or 0)


async def test_tasks_come_back_paused_and_count_from_when_they_are_switched_on(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    tasks, tags = Tasks(database), Tags(database)
    cron = await make(tasks, "cron", TaskType.CRON, cron="* * * * *")
    condition = await make(tasks, "condition", TaskType.CONDITION, event="message", keyword="hi")
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    once = await make(tasks, "once", TaskType.ONCE, time=soon)
    await tags.add(Tagged("t", "qq", TargetType.GROUP, "5"))
    hidden = await add_hidden(database)
    made = await backup(database_url, tmp_path / "b")
    assert (made.tables["tasks"], made.tables["tags"]) == (3, 1)
    await tasks.delete(cron.id)
    await tasks.edit(condition.id, {"name": "changed"})
    await restore(database_url, tmp_path / "b", choose(["tasks"]))
    found, total = await tasks.find(WantedTasks())
    assert total == 3
    assert [(one.id, one.name, one.status, one.next_run_time) for one in found] == [
        (cron.id, "cron", "disabled", None),
        (condition.id, "condition", "disabled", None),
        (once.id, "once", "disabled", None),
    ]
    assert [one.tags for one in found] == [["t"]] * 3
    assert (await tags.find(q="", limit=5, offset=0))[1] == 1
    assert not await tasks.conditions()
    _, again = await tasks.edit(cron.id, {"status": "pending"})
    assert again.next_run_time is not None
    assert again.next_run_time > datetime.now(UTC) - timedelta(minutes=1)
    await tasks.edit(condition.id, {"status": "pending"})
    assert [one.id for one in await tasks.conditions()] == [condition.id]
    async with database.session() as session:
        assert await session.scalar(select(Task.name).where(Task.id == hidden)) == "call", "a call under way stays"


async def test_a_moment_that_has_passed_is_not_made_up_for(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    tasks = Tasks(database)
    once = await make(tasks, "once", TaskType.ONCE, time=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    async with database.session() as session:
        past = {"trigger_config": '{"time": "2026-01-01T00:00:00Z"}'}
        await session.execute(text("UPDATE tasks SET trigger_config = :trigger_config"), past)
    await backup(database_url, tmp_path / "b")
    await restore(database_url, tmp_path / "b")
    with pytest.raises(BadTask, match="has passed"):
        await tasks.edit(once.id, {"status": "pending"})


async def test_a_task_whose_id_a_call_has_meanwhile_gets_another(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    tasks = Tasks(database)
    first, second = [await make(tasks, name, TaskType.CRON, cron="0 0 * * *") for name in ("a", "b")]
    await backup(database_url, tmp_path / "b")
    await tasks.delete(first.id)
    async with database.session() as session:
        await session.execute(text("ALTER TABLE tasks ALTER id RESTART WITH 1"))
    assert await add_hidden(database) == first.id
    await restore(database_url, tmp_path / "b")
    found, _ = await tasks.find(WantedTasks())
    assert {one.name: one.id for one in found} == {"b": second.id, "a": second.id + 1}
    assert await add_hidden(database) == second.id + 2
