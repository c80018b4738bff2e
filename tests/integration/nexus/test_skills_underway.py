"""Which calls PostgreSQL is told to be running: those that take longer than a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.postgres import PostgresProcess

from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.skills.underway import Underway
from botmatrix.skills.model import SkillResult
from botmatrix.store.engine import Database
from botmatrix.store.executions import Executions, Seen, Sent
from botmatrix.store.migrate import upgrade


@pytest.fixture
async def executions(own_postgres: PostgresProcess) -> AsyncIterator[Executions]:
    await upgrade(own_postgres.url(), part="tests")
    database = Database(own_postgres.url(), part="tests")
    yield Executions(database)
    await database.close()


async def made(executions: Executions, underway: Underway) -> Seen:
    """A call that is on the lane of w1."""
    one = await executions.make("weather", {}, limit=60, creator="")
    underway.put([Sent(one.execution_id, "w1", 0)])
    return one


async def test_a_call_is_running_when_it_is_met_a_second_time(executions: Executions) -> None:
    underway = Underway(executions)
    one = await made(executions, underway)
    states = []
    for _ in range(2):
        await underway.look()
        seen = await executions.look(one.execution_id)
        assert seen is not None
        states.append((seen.status, seen.worker_id))
    assert states == [("pending", ""), ("running", "w1")]


async def test_a_call_that_has_ended_is_said_to_be_nothing_else(executions: Executions) -> None:
    underway = Underway(executions)
    quick, quicker = await made(executions, underway), await made(executions, underway)
    underway.ended([quicker.execution_id])
    await underway.look()
    await executions.apply([SkillResult(execution_id=quick.execution_id, result="sunny")])  # by another nexus
    await underway.look()
    for one, status in ((quick, "success"), (quicker, "pending")):
        seen = await executions.look(one.execution_id)
        assert seen is not None
        assert seen.status == status


async def test_what_could_not_be_said_is_said_later(executions: Executions, own_postgres: PostgresProcess) -> None:
    underway = Underway(executions)
    one = await made(executions, underway)
    await underway.look()
    own_postgres.stop(kill=True)
    with pytest.raises(EngineUnavailable):
        await underway.look()
    own_postgres.start()
    await underway.look()
    seen = await executions.look(one.execution_id)
    assert seen is not None
    assert (seen.status, seen.worker_id) == ("running", "w1")
