"""Results of skill calls reach their executions by stream, Pub/Sub and socket, once each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.integration.worker.support import until

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.config import Home, load
from botmatrix.nexus.skills.part import SkillPart
from botmatrix.store.engine import Database
from botmatrix.store.executions import Executions, Wanted

KEYS = Keys()


class Stand:
    """The skill systems of two nexuses, and what they work on."""

    def __init__(self, home: Home, redis_url: str, database_url: str) -> None:
        given = {"REDIS_URL": redis_url, "DATABASE_URL": database_url, "ENABLE_SKILL": "1"}
        settings = load(home.root, {}, given)
        self.parts = [SkillPart(settings, KEYS, inc) for inc in ("n1", "n2")]
        self.redis = Client(redis_url, name="test")
        self.database = Database(database_url, part="test")
        self.executions = Executions(self.database)

    async def make(self) -> tuple[int, str]:
        made = await self.executions.make("weather", {}, limit=60, creator="")
        return made.task_id, made.execution_id

    async def add(self, body: dict[str, object]) -> None:
        """A result on the stream."""
        await self.redis.call("XADD", KEYS.skill_results, "*", "payload", json.dumps(body))

    async def is_empty(self) -> bool:
        """Whether every result was taken off the stream."""
        return int(await self.redis.call("XLEN", KEYS.skill_results)) == 0

    async def ended(self, execution: str) -> tuple[str, str]:
        """Its state and result, once it has one."""

        async def over() -> bool:
            return (await self._find(execution))[0] in ("success", "failed")

        await until(over)
        return await self._find(execution)

    async def _find(self, execution: str) -> tuple[str, str]:
        (found,), _ = await self.executions.find(Wanted(execution_id=execution))
        return found.status, found.result

    def counted(self) -> dict[str, int]:
        """What both counted together."""
        total = self.parts[0].counters + self.parts[1].counters
        return {name: count for name, count in total.items() if count}

    async def until_counted(self, **counts: int) -> None:
        async def counted() -> bool:
            return self.counted() == counts

        await until(counted)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.fixture
async def stand(home: object, redis_url: str, database_url: str) -> AsyncIterator[Stand]:
    stand = Stand(Home(home), redis_url, database_url)  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(stand.redis.close)
        stack.push_async_callback(stand.database.close)
        for part in stand.parts:
            part.subscribe()
            tasks = [asyncio.create_task(work, name=name) for name, work in part.work().items()]
            stack.push_async_callback(part.close)
            stack.push_async_callback(_end, tasks)

        async def listening() -> bool:
            found = await stand.redis.call("PUBSUB", "NUMSUB", KEYS.skill_result)
            return int(found[1]) == 2

        await until(listening)
        yield stand


async def test_a_result_on_the_channel_is_applied_once_though_both_hear_it(stand: Stand) -> None:
    _, execution = await stand.make()
    body = {"type": "skill_result", "execution_id": execution, "status": "success", "result": "sunny"}
    await stand.redis.call("PUBLISH", KEYS.skill_result, json.dumps(body))
    assert await stand.ended(execution) == ("success", "sunny")
    await stand.until_counted(skill_results_success=1)


async def test_a_result_from_a_socket_without_execution_id_is_matched_by_its_task(stand: Stand) -> None:
    task, execution = await stand.make()
    fields = {"type": "skill_result", "task_id": task, "execution_id": "<nil>", "status": "failed", "result": "rain"}
    stand.parts[1].on_socket_result("old", fields)
    assert await stand.ended(execution) == ("failed", "rain")


async def test_late_and_foreign_results_and_nonsense_are_counted_and_change_nothing(stand: Stand) -> None:
    _, execution = await stand.make()
    await stand.add({"type": "skill_result", "execution_id": execution, "result": {"sky": ["blue"]}})
    assert await stand.ended(execution) == ("success", '{"sky":["blue"]}')
    await stand.add({"type": "skill_result", "execution_id": execution, "result": "second"})
    await stand.add({"type": "skill_result", "execution_id": "nobody's"})
    await stand.add({"type": "control"})
    await stand.until_counted(
        skill_results_success=1, skill_results_late=1, skill_results_foreign=1, skill_results_unreadable=1
    )
    assert await stand.ended(execution) == ("success", '{"sky":["blue"]}')
    await until(stand.is_empty)


async def test_only_workers_that_are_there_and_reported_the_skill_are_called(stand: Stand) -> None:
    registration = {"type": "worker_register", "worker_id": "ghost", "capabilities": [{"name": "weather"}]}
    await stand.redis.call("PUBLISH", KEYS.worker_register, json.dumps(registration))
    await stand.redis.call("PUBLISH", KEYS.worker_register, b"nonsense")
    _, execution = await stand.make()
    await stand.redis.call("HSET", KEYS.presence("w1"), "capabilities", '[{"name": "weather"}]')
    await stand.redis.call("SADD", KEYS.workers, "w1")
    await stand.redis.call("XGROUP", "CREATE", KEYS.lane("w1"), "g1", "0", "MKSTREAM")

    async def sent() -> bool:
        return int(await stand.redis.call("XLEN", KEYS.lane("w1"))) == 1

    await until(sent)
    (entry,) = await stand.redis.call("XRANGE", KEYS.lane("w1"), "-", "+")
    call = json.loads(entry[1][1])
    assert (call["type"], call["skill"], call["execution_id"]) == ("skill_call", "weather", execution)
    assert call["params"] == {"skill": "weather"}
    assert await stand.redis.call("EXISTS", KEYS.lane("ghost")) == 0
