"""The routes of skills, off and on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.control.conftest import LogIn

from botmatrix.bus.keys import Keys
from botmatrix.bus.skills import NEWS, SkillBox
from botmatrix.control.parts import Parts
from botmatrix.control.skill_access import NotPermitted
from botmatrix.control.skills import Caller, SkillDesk
from botmatrix.skills.model import Capability, SkillAnswer, SkillCall, SkillResult, encode
from botmatrix.store.executions import Executions
from botmatrix.store.tables import Role

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


@pytest.fixture
async def box(parts: Parts) -> AsyncIterator[SkillBox]:
    box = SkillBox(str(parts.settings.redis_url), Keys(), name="test")
    yield box
    await box.close()


@pytest.mark.parametrize(("times", "is_news"), [(1, True), (NEWS, True), (1, False)])
async def test_a_caller_gets_the_result_as_soon_as_it_is_there(
    owner: httpx.AsyncClient, desk: SkillDesk, parts: Parts, box: SkillBox, times: int, is_news: bool
) -> None:
    """Also one that is too long to be told, and one of which nothing is heard."""
    executions = Executions(parts.database)

    async def work() -> None:
        while not (told := await box.told()):
            pass
        worked_on = json.dumps(told[0].params) * times
        result = SkillResult(execution_id=told[0].execution_id, worker_id="w1", result=worked_on)
        await executions.apply([result])
        if is_news:
            await box.ended([SkillAnswer(told[0].execution_id, "success", result.text, worker_id="w1")])

    working = asyncio.create_task(work())
    answer = await owner.post(CALL, json={"params": {"city": "上海"}})
    await working
    said = answer.json()
    assert (answer.status_code, said["success"], said["status"], said["worker_id"]) == (200, True, "success", "w1")
    assert said["result"] == json.dumps({"city": "上海", "skill": "weather"}) * times


async def test_a_call_of_which_nobody_heard_is_found_a_moment_later(
    owner: httpx.AsyncClient, desk: SkillDesk, parts: Parts, box: SkillBox
) -> None:
    answer = await owner.post(CALL, json={"params": {"city": "x"}, "wait": False})
    assert [one.execution_id for one in await box.told()] == [answer.json()["execution_id"]]
    assert await box.told(block_ms=20) == []
    await box.tell([SkillCall(skill="weather", timestamp=time.time() - 6)])  # perhaps it was cancelled meanwhile
    assert await box.told(block_ms=20) == []
    executions = Executions(parts.database)
    async with asyncio.timeout(20):
        while not (claimed := await executions.claim(9)):
            await asyncio.sleep(0.05)
    assert [one.execution_id for one in claimed] == [answer.json()["execution_id"]]


async def _may_call(client: httpx.AsyncClient) -> int:
    return (await client.post(CALL, json={"params": {"city": "x"}, "wait": False})).status_code


@pytest.mark.parametrize(
    ("permission", "seen_by", "called_by"),
    [
        ("public", "viewer operator admin owner", "operator admin owner"),
        ("member", "viewer operator admin owner", "operator admin owner"),
        ("", "admin owner", "admin owner"),
        ("owner", "owner", "owner"),
        ("off", "admin owner", ""),
    ],
)
async def test_who_may_not_use_a_skill_neither_sees_nor_calls_it(
    parts: Parts, log_in: LogIn, desk: SkillDesk, permission: str, seen_by: str, called_by: str
) -> None:
    await offer(parts, Capability(name="weather", permission=permission))
    seen, called = [], []
    for role in Role:
        client = await log_in(role)
        found = (await client.get("/api/skills")).json()["skills"]
        described = CALL in (await client.get("/openapi.json")).json()["paths"]
        assert described == bool(found)
        seen += [role.value] if found else []
        status = await _may_call(client)
        assert status in (202, 403)
        called += [role.value] if status == 202 else []
    assert (set(seen), set(called)) == (set(seen_by.split()), set(called_by.split()))


async def test_an_administrator_sets_who_may(parts: Parts, log_in: LogIn, desk: SkillDesk) -> None:
    viewer, owner = await log_in(Role.VIEWER), await log_in(Role.OWNER)
    assert (await viewer.get("/api/skills")).json()["total"] == 0
    changed = await owner.post("/api/admin/config", json={"skill_permissions": ["weather:member"]})
    assert changed.status_code == 200, changed.text
    (found,) = (await viewer.get("/api/skills")).json()["skills"]
    assert found["permission"] == "member"


async def test_a_skill_that_nobody_has_now_is_for_owners(log_in: LogIn, desk: SkillDesk) -> None:
    body = {"wait": False}
    admin, owner = await log_in(Role.ADMIN), await log_in(Role.OWNER)
    assert (await admin.post("/api/skills/unknown/call", json=body)).status_code == 403
    assert (await owner.post("/api/skills/unknown/call", json=body)).status_code == 202


async def test_each_skill_has_an_operation_of_its_own(
    parts: Parts, client: httpx.AsyncClient, owner: httpx.AsyncClient, desk: SkillDesk
) -> None:
    odd = Capability(name="a/b{c}", permission="public")
    outside = Capability(name="outside", permission="public", schema={"$ref": "http://x/"})
    await offer(parts, Capability(name="weather", description="The weather", schema=SCHEMA), odd, outside)
    paths = (await owner.get("/openapi.json")).json()["paths"]
    operation = paths[CALL]["post"]
    assert (operation["operationId"], operation["summary"]) == ("skill_weather", "The weather")
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert (body["properties"]["params"], body["required"]) == (SCHEMA, ["params"])
    assert paths["/api/skills/{name}/call"]["post"]["operationId"] != "skill_weather"
    strangers = {
        path for path in (await client.get("/openapi.json")).json()["paths"] if path.startswith("/api/skills/")
    }
    assert strangers == {"/api/skills/{name}/call", "/api/skills/outside/call"}


async def offer(parts: Parts, *skills: Capability) -> None:
    """What w1 has now."""
    fields = {"capabilities": encode(list(skills)).decode(), "enable_skill": "true"}
    await parts.presence.announce("w1", fields)


async def test_a_task_calls_no_skill_that_who_makes_it_may_not_call(
    parts: Parts, log_in: LogIn, desk: SkillDesk
) -> None:
    caller = Caller("somebody", Role.ADMIN, parts.permissions())
    await offer(parts, Capability(name="weather", permission="owner"))
    with pytest.raises(NotPermitted):
        await desk.require("weather", caller)
    assert await desk.require("weather", caller._replace(role=Role.OWNER)) is not None
