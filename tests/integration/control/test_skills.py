"""The routes of skills, off and on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts
from botmatrix.control.skills import SkillDesk
from botmatrix.skills.model import Capability, SkillResult, encode
from botmatrix.store.executions import Executions

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALL = "/api/skills/weather/call"


@pytest.fixture
async def desk(parts: Parts) -> AsyncIterator[SkillDesk]:
    """The skill system is on, and w1 can tell the weather."""
    url = str(parts.settings.redis_url)
    desk = parts.skills = SkillDesk(url, Keys(), Executions(parts.database), parts.presence)
    can = [Capability(name="weather", description="The weather", schema=SCHEMA)]
    await parts.presence.announce("w1", {"capabilities": encode(can).decode(), "enable_skill": "true"})
    yield desk
    await desk.close()
    parts.skills = None


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/skills"), ("GET", "/api/tasks/executions"), ("POST", CALL)])
async def test_off_every_route_says_so(owner: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await owner.request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code, answer.json()["error"]) == (409, "skill_disabled")


async def test_skills_are_listed_with_their_workers(owner: httpx.AsyncClient, desk: SkillDesk) -> None:
    (found,) = (await owner.get("/api/skills")).json()["skills"]
    assert (found["name"], found["workers"], found["parameters"]) == ("weather", ["w1"], SCHEMA)


async def test_parameters_that_do_not_fit_are_refused(owner: httpx.AsyncClient, desk: SkillDesk) -> None:
    for params in ({}, {"city": 7}, {"city": "a\0b"}):
        answer = await owner.post(CALL, json={"params": params})
        assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert (await owner.get("/api/tasks/executions")).json()["total"] == 0


async def test_without_a_nexus_a_call_waits_visibly(owner: httpx.AsyncClient, desk: SkillDesk) -> None:
    answer = await owner.post("/api/skills/no_such_skill/call", json={"params": {"a": [1]}, "wait": False})
    assert (answer.status_code, answer.json()["status"], answer.json()["success"]) == (202, "pending", False)
    query = {"execution_id": answer.json()["execution_id"], "status": "pending"}
    (found,) = (await owner.get("/api/tasks/executions", params=query)).json()["executions"]
    assert (found["skill"], found["params"]) == ("no_such_skill", {"a": [1], "skill": "no_such_skill"})


async def test_a_caller_gets_the_result_as_soon_as_it_is_there(
    owner: httpx.AsyncClient, desk: SkillDesk, parts: Parts
) -> None:
    executions = Executions(parts.database)

    async def work() -> None:
        while not (claimed := await executions.claim(1)):
            await asyncio.sleep(0.01)
        result = SkillResult(execution_id=claimed[0].execution_id, worker_id="w1", result=json.dumps(claimed[0].params))
        await executions.apply([result])
        await parts.redis.call("PUBLISH", Keys().skills_ended, claimed[0].execution_id)

    working = asyncio.create_task(work())
    answer = await owner.post(CALL, json={"params": {"city": "上海"}})
    await working
    said = answer.json()
    assert (answer.status_code, said["success"], said["status"], said["worker_id"]) == (200, True, "success", "w1")
    assert json.loads(said["result"]) == {"city": "上海", "skill": "weather"}
