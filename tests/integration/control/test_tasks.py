"""The routes of tasks, their executions and tags."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.integration.control.conftest import LogIn

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts
from botmatrix.control.skills import SkillDesk
from botmatrix.control.tasks import TaskDesk
from botmatrix.skills.model import Capability, encode
from botmatrix.store.executions import Executions
from botmatrix.store.tables import Role

SAY = {"bot_id": "10001", "group_id": 7, "message": "早"}
DAILY: dict[str, Any] = {
    **{"name": "morning", "type": "cron", "trigger_config": {"cron": "0 9 * * *"}, "time_zone": "Asia/Shanghai"},
    **{"action_type": "send_message", "action_params": SAY},
}
ROUTES = [
    ("GET", "/api/tasks"),
    ("POST", "/api/tasks"),
    ("GET", "/api/tasks/preview?cron=*%20*%20*%20*%20*"),
    ("GET", "/api/tasks/1"),
    ("PATCH", "/api/tasks/1"),
    ("DELETE", "/api/tasks/1"),
    ("POST", "/api/tasks/1/run"),
    ("POST", "/api/tasks/executions/x/cancel"),
    ("GET", "/api/tags"),
    ("POST", "/api/tags"),
]


@pytest.fixture
async def on(parts: Parts) -> AsyncIterator[None]:
    """The skill system is on."""
    skills = SkillDesk(str(parts.settings.redis_url), Keys(), Executions(parts.database), parts.presence)
    parts.skills, parts.tasks = skills, TaskDesk(parts.database, parts.redis, Keys(), skills)
    yield
    await skills.close()
    parts.skills = parts.tasks = None


async def make(client: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await client.post("/api/tasks", json={**DAILY, **given})
    assert answer.status_code == 200, answer.text
    task: dict[str, Any] = answer.json()["task"]
    return task


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_off_every_route_says_so(owner: httpx.AsyncClient, method: str, path: str) -> None:
    body = {"action": "add", "tag_name": "a", "target_type": "group", "target_id": 1} if path == "/api/tags" else DAILY
    sent = None if method in ("GET", "DELETE") else {} if method == "PATCH" else body
    answer = await owner.request(method, path, json=sent)
    assert (answer.status_code, answer.json()["error"]) == (409, "skill_disabled")


@pytest.mark.usefixtures("on")
async def test_a_task_is_made_changed_paused_run_and_deleted(owner: httpx.AsyncClient, parts: Parts) -> None:
    task = await make(owner, trigger_config=json.dumps(DAILY["trigger_config"]), action_params=json.dumps(SAY))
    assert (task["status"], task["creator"], task["max_retries"]) == ("pending", "the-owner", 3)
    assert task["action_params"] == {"bot_id": "qq:10001", "group_id": "7", "message": "早"}
    assert "T01:00:00" in task["next_run_time"]
    path = f"/api/tasks/{task['id']}"
    ran = (await owner.post(f"{path}/run")).json()
    assert len(ran["executions"]) == 1
    paused = (await owner.patch(path, json={"status": "disabled", "name": "m2"})).json()["task"]
    assert (paused["status"], paused["next_run_time"], paused["name"]) == ("disabled", None, "m2")
    on = (await owner.patch(path, json={"status": "pending", "time_zone": "UTC"})).json()["task"]
    assert "T09:00:00" in on["next_run_time"]
    assert (await owner.get(path)).json()["task"] == on
    listed = (await owner.get("/api/tasks", params={"type": "cron", "status": "pending", "q": "m2"})).json()
    assert (listed["total"], listed["tasks"]) == (1, [on])
    query = {"task_id": task["id"], "status": "pending"}
    (execution,) = (await owner.get("/api/tasks/executions", params=query)).json()["executions"]
    assert (execution["execution_id"], execution["action_type"]) == (ran["executions"][0], "send_message")
    assert execution["cause"].startswith("run by the-owner")
    assert (await owner.delete(path)).json()["task"]["id"] == task["id"]
    assert (await owner.get(path)).json()["error"] == "unknown_task"
    written, _ = await parts.operations.list()
    assert {one.what for one in written} >= {"task.create", "task.edit", "task.run", "task.delete"}


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("path", ["/api/tasks", "/api/tags"])
async def test_what_is_searched_for_may_hold_what_postgresql_can_not(owner: httpx.AsyncClient, path: str) -> None:
    answer = await owner.get(path, params={"q": "%\0'"})
    assert (answer.status_code, answer.json()["total"]) == (200, 0)


@pytest.mark.usefixtures("on")
async def test_a_cron_expression_is_tried_before_it_is_kept(owner: httpx.AsyncClient) -> None:
    asked = {"cron": "0 9 * * *", "time_zone": "Asia/Shanghai"}
    moments = (await owner.get("/api/tasks/preview", params=asked)).json()["next"]
    assert len(moments) == 5
    assert moments == sorted(moments)
    assert all(one.endswith("T01:00:00Z") for one in moments)
    wrong = await owner.get("/api/tasks/preview", params={"cron": "0 25 * * *"})
    assert (wrong.status_code, "cron" in wrong.json()["message"]) == (422, True)


@pytest.mark.usefixtures("on")
async def test_an_execution_is_cancelled_once(owner: httpx.AsyncClient) -> None:
    task = await make(owner)
    (execution,) = (await owner.post(f"/api/tasks/{task['id']}/run")).json()["executions"]
    path = f"/api/tasks/executions/{execution}/cancel"
    cancelled = (await owner.post(path)).json()["execution"]
    assert (cancelled["status"], cancelled["error"]) == ("failed", "cancelled by the-owner")
    again = await owner.post(path)
    assert (again.status_code, again.json()["error"]) == (404, "unknown_execution")


WRONG = [
    ({"trigger_config": {"cron": "* * * *"}}, "five fields"),
    ({"trigger_config": {"cron": "0 0 30 2 *"}}, "cron"),
    ({"trigger_config": {"cron": "61 * * * *"}}, "minute"),
    ({"trigger_config": {"time": "2099-01-01"}}, "needs cron"),
    ({"trigger_config": "["}, "JSON"),
    ({"time_zone": "Mars/Olympus"}, "time zone"),
    ({"time_zone": "../../etc/passwd"}, "time zone"),
    ({"type": "once", "trigger_config": {"time": "2020-01-01T00:00:00Z"}}, "has passed"),
    ({"type": "once", "trigger_config": {"time": "soon"}}, "ISO 8601"),
    ({"type": "delayed", "trigger_config": {"delay": -1}}, "delay"),
    ({"type": "condition", "trigger_config": {"event": "message", "regex": "("}}, "regex"),
    ({"type": "condition", "trigger_config": {"event": "message", "keyword": ""}, "action_params": {}}, "message"),
    ({"action_params": {"bot_id": "1", "message": "x"}}, "group_id or user_id"),
    ({"action_params": {**SAY, "user_id": 1}}, "not both"),
    ({"action_params": {**SAY, "message": "a\0"}}, "NUL"),
    ({"action_params": {**SAY, "colour": 1}}, "colour"),
    ({"action_type": "mute_group", "action_params": {"bot_id": 1, "group_id": 2, "duration": 0}}, "duration"),
    ({"action_type": "skill_call", "action_params": {}}, "skill"),
    ({"action_type": "skill_call", "action_params": {"skill": "weather"}}, "city"),
    ({"tags": ["a"]}, "from the tags"),
    ({"name": "\n"}, "name"),
]


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(("given", "words"), WRONG)
async def test_what_can_not_be_is_refused_with_the_reason(
    owner: httpx.AsyncClient, parts: Parts, given: dict[str, Any], words: str
) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    can = encode([Capability(name="weather", schema=schema)]).decode()
    await parts.presence.announce("w1", {"capabilities": can, "enable_skill": "true"})
    answer = await owner.post("/api/tasks", json={**DAILY, **given})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert words in answer.json()["message"]
    assert (await owner.get("/api/tasks")).json()["total"] == 0


@pytest.mark.usefixtures("on")
async def test_conditions_and_many_tags_are_for_administrators(log_in: LogIn) -> None:
    admin, operator = await log_in(Role.ADMIN), await log_in(Role.OPERATOR)
    condition = {"type": "condition", "trigger_config": {"event": "message", "keyword": "广告"}}
    tagged = {"tags": ["a", "b"], "action_params": {"bot_id": 1, "message": "x"}}
    mine = await make(operator)
    for given in (condition, tagged):
        refused = await operator.post("/api/tasks", json={**DAILY, **given})
        assert (refused.status_code, refused.json()["error"]) == (403, "needs_admin")
        assert (await operator.patch(f"/api/tasks/{mine['id']}", json=given)).status_code == 403
        made = await make(admin, **given)
        path = f"/api/tasks/{made['id']}"
        assert (await operator.delete(path)).status_code == 403
        assert (await operator.post(f"{path}/run")).status_code == 403
        assert (await operator.patch(path, json={"status": "disabled"})).status_code == 403
        assert (await admin.patch(path, json={"status": "disabled"})).status_code == 200
    assert (await make(operator, tags=["a"], action_params={"bot_id": 1, "message": "x"}))["tags"] == ["a"]


@pytest.mark.usefixtures("on")
async def test_a_task_that_answers_an_event_can_not_be_run_by_hand(owner: httpx.AsyncClient) -> None:
    condition = {"type": "condition", "trigger_config": {"event": "message"}}
    answering = await make(owner, **condition, action_params={"message": "hi"})
    refused = await owner.post(f"/api/tasks/{answering['id']}/run")
    assert (refused.status_code, refused.json()["error"]) == (409, "needs_event")
    plain = await make(owner, **condition)
    assert (await owner.post(f"/api/tasks/{plain['id']}/run")).status_code == 200


@pytest.mark.usefixtures("on")
async def test_tags_are_put_on_groups_and_friends(owner: httpx.AsyncClient) -> None:
    tag = {"tag_name": "vip", "target_type": "group", "target_id": 77}
    for action, changed in (("add", True), ("add", False), ("remove", True), ("remove", False), ("add", True)):
        answer = await owner.post("/api/tags", json={**tag, "action": action})
        assert answer.json()["changed"] is changed
    found = (await owner.get("/api/tags", params={"q": "vi"})).json()
    assert found["tags"] == [{"name": "vip", "platform": "qq", "target_type": "group", "target_id": "77"}]
    assert (await owner.post("/api/tags", json={**tag, "action": "add", "tag_name": "\u202e"})).status_code == 422
