"""Routing rules through REST, and explanations."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.integration.control.conftest import ControlOptions, LogIn
from tests.integration.control.reports import heard, report

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts
from botmatrix.store.tables import Role

KEYS = Keys()
PATH = "/api/admin/routing"


async def put_worker(parts: Parts, name: str, pool: str = "default", **fields: str) -> None:
    """A lane whose own worker lives."""
    await parts.redis.call("HSET", KEYS.own, name, f"1|{name}.aa")
    await parts.redis.call("SET", KEYS.lease(f"{name}.aa"), "1")
    await parts.presence.announce(name, {"pool": pool, **fields})


async def explain(client: httpx.AsyncClient, bot: str = "", **event: Any) -> dict[str, Any]:
    answer = await client.post(f"{PATH}/explain", json={"event": event, "bot": bot})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_rule_is_made_changed_listed_and_deleted(owner: httpx.AsyncClient, parts: Parts) -> None:
    made = (await owner.post(PATH, json={"key": "group_456", "worker_id": "w1"})).json()["rule"]
    assert (made["worker_id"], made["priority"], made["fallback"], made["disabled"]) == ("w1", 0, "balance", False)
    how = {"priority": 3, "fallback": "wait", "deliver": "all", "disabled": True}
    body = {"key": "group_456", "worker_id": "w2,pool:vip", **how}
    changed = (await owner.post(PATH, json=body)).json()["rule"]
    assert changed == {**body, "created": pytest.approx(made["created"], abs=1e-5), "implicit": False}
    listed = (await owner.get(PATH)).json()
    assert (listed["total"], listed["rules"]) == (1, [changed])
    assert (await owner.delete(PATH, params={"key": "group_456"})).json() == {"success": True, "key": "group_456"}
    assert (await owner.delete(PATH, params={"key": "group_456"})).json()["error"] == "unknown_rule"
    assert await parts.redis.call("HLEN", KEYS.rules) == 0
    assert await parts.redis.call("GET", KEYS.rules_version) == b"3"


async def test_changes_are_in_the_operation_log_and_questions_are_not(owner: httpx.AsyncClient) -> None:
    for body in ({"worker_id": "w1"}, {"worker_id": "pool:vip", "priority": 3}):
        await owner.post(PATH, json={"key": "group_456", **body})
    await explain(owner, user_id=1)
    await owner.delete(PATH, params={"key": "group_456"})
    first, second = {"key": "group_456", "target": "w1"}, {"key": "group_456", "target": "pool:vip", "priority": 3}
    found = (await owner.get("/api/audit", params={"sort": "at"})).json()["audit"]
    assert [(one["what"], one["object"], one["before"], one["after"]) for one in found] == [
        ("route.set", "group_456", None, first),
        ("route.set", "group_456", first, second),
        ("route.unset", "group_456", second, None),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"key": "user_", "worker_id": "w1"},
        {"key": "a", "worker_id": "default"},
        {"key": "a", "worker_id": "w 1"},
        {"key": "a", "worker_id": "w1", "fallback": "retry"},
        {"key": "a", "worker_id": "w1", "priority": 10**7},
        {"key": "a\u0000", "worker_id": "w1"},
        {"key": "a", "worker_id": "w1", "deliver": "some"},
        {"key": "a", "worker_id": "w1,w1"},
        {"key": "a", "worker_id": "w1,block"},
    ],
)
async def test_a_rule_that_can_not_be_is_422(owner: httpx.AsyncClient, body: dict[str, Any]) -> None:
    refused = await owner.post(PATH, json=body)
    assert (refused.status_code, refused.json()["success"]) == (422, False)


async def test_only_an_admin_changes_rules_and_a_viewer_sees_and_asks(log_in: LogIn) -> None:
    viewer, operator = await log_in(Role.VIEWER), await log_in(Role.OPERATOR)
    assert (await viewer.get(PATH)).status_code == 200
    assert (await explain(viewer, user_id=1))["verdict"] == "parked"
    assert (await operator.post(PATH, json={"key": "a", "worker_id": "w1"})).status_code == 403
    assert (await operator.delete(PATH, params={"key": "a"})).status_code == 403


async def test_an_explanation_says_who_is_chosen_and_who_lost(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_worker(parts, "slow", response_ms="500")
    await put_worker(parts, "quick", response_ms="25")
    await put_worker(parts, "v1", "vip")
    await put_worker(parts, "leaving", draining="1")
    found = await explain(owner, self_id=10001, group_id=456, user_id=7)
    assert (found["verdict"], found["chosen"], found["rule"]) == ("lane", "quick", None)
    assert [one["worker_id"] for one in found["ways"][0]["candidates"]] == ["quick", "slow"]
    for key, target in (("user_7", "pool:vip"), ("*", "slow"), ("bot_10001", "block")):
        await owner.post(PATH, json={"key": key, "worker_id": target})
    found = await explain(owner, self_id=10001, group_id=456, user_id=7)
    assert (found["chosen"], found["rule"]["rule"]["key"], found["conversation"]) == ("v1", "user_7", "group:456")
    assert [(one["rule"]["key"], one["subject"]) for one in found["lost"]] == [("bot_10001", "bot"), ("*", "user")]
    assert all(one["why"] for one in found["lost"])
    assert (await explain(owner, "QQ:10001", user_id=8))["verdict"] == "blocked"


async def test_an_explanation_knows_the_lane_that_a_conversation_is_on(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_worker(parts, "w1")
    await parts.redis.call("HSET", KEYS.affinity("qq:10001"), "private:8", "w1", "group:5\tw9", "w9")
    assert (await explain(owner, "qq:10001", user_id=8))["ways"][0]["last_lane"] == "w1"
    await owner.post(PATH, json={"key": "group_5", "worker_id": "w9"})
    assert (await explain(owner, "qq:10001", user_id=8, group_id=5))["ways"][0]["last_lane"] == "w9"


async def test_an_explanation_begins_with_the_judge(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_worker(parts, "w1")
    lists = {"permissions": {"blacklist": {"system": ["qq:7"]}}}
    assert (await owner.post("/api/admin/core", json=lists)).status_code == 200
    found = await explain(owner, "qq:10001", user_id=7)
    assert (found["verdict"], found["judge"], found["chosen"], found["ways"]) == (
        *("blocked", {"blocked": True, "reason": "user_blacklisted"}),
        *("", []),
    )
    assert "user_blacklisted" in found["why"]
    found = await explain(owner, "telegram:10001", user_id=7)
    assert (found["verdict"], found["judge"]["blocked"], found["chosen"]) == ("lane", False, "w1")


async def test_whom_a_rule_names_may_be_away_but_is_told(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_worker(parts, "w1")
    rule = {"key": "group_5", "worker_id": "w1,w9", "fallback": "wait", "deliver": "all"}
    saved = (await owner.post(PATH, json=rule)).json()
    assert saved["warnings"] == ["w9 takes no events now; until it does, the fallback is wait"]
    found = await explain(owner, group_id=5, user_id=7)
    assert [(way["target"], way["verdict"]) for way in found["ways"]] == [("w1", "lane"), ("w9", "parked")]
    assert found["chosen"] == "w1"


@pytest.mark.parametrize(
    "event", [{"user_id": True}, {"user_id": 2**70}, {"post_type": "meta_event"}, {"post_type": "?"}]
)
async def test_what_is_no_event_can_not_be_explained(owner: httpx.AsyncClient, event: dict[str, Any]) -> None:
    refused = await owner.post(f"{PATH}/explain", json={"event": event})
    assert refused.status_code == 422


async def test_an_attached_application_is_a_rule_that_is_shown_and_explained(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    await put_worker(parts, "w1")
    both = {"id": "app-1", "pool": "app-1", "kind": "onebot", "bots": ["qq:10001", "qq:10002"]}
    second = {"id": "bot2-app", "pool": "bot2-app", "kind": "onebot", "bots": ["qq:10002"]}
    await parts.redis.call("SADD", Keys().nexuses, "n1.a")
    await parts.redis.call("SET", Keys().sockets("n1.a"), json.dumps([both, second]))
    listed = (await owner.get(PATH)).json()["rules"]
    assert [(one["key"], one["worker_id"], one["implicit"]) for one in listed] == [
        ("bot_10001", "app-1", True),
        ("bot_10002", "app-1,bot2-app", True),
    ]
    found = await explain(owner, "qq:10001", user_id=7)
    assert (found["verdict"], found["rule"], found["chosen"]) == ("lane", None, "app-1")
    assert (await explain(owner, "qq:10003", user_id=7))["chosen"] == "w1"
    saved = (await owner.post(PATH, json={"key": "user_7", "worker_id": "w1"})).json()
    assert saved["warnings"] == []
    assert (await explain(owner, "qq:10001", user_id=7))["chosen"] == "w1"
    assert (await owner.post(PATH, json={"key": "user_8", "worker_id": "app-1"})).json()["warnings"] == []


async def test_an_event_that_has_a_trace_is_explained_by_its_id(
    owner: httpx.AsyncClient, parts: Parts, log_in: LogIn, options: ControlOptions
) -> None:
    await put_worker(parts, "w1")
    part = heard("what time is it", rule="group_456")
    await report(options.redis_url, part)
    await parts.trace_writer.write()
    await owner.post(PATH, json={"key": "user_123", "worker_id": "block"})
    found = (await owner.post(f"{PATH}/explain", json={"event_id": part.id})).json()
    assert (found["verdict"], found["rule"]["rule"]["key"], found["conversation"]) == (
        "blocked",
        "user_123",
        "group:456",
    )
    assert (found["trace"]["rule"], found["trace"]["outcome"]) == ("group_456", "under_way")
    viewer = await log_in(Role.VIEWER)
    assert (await viewer.post(f"{PATH}/explain", json={"event_id": part.id})).status_code == 403
    for body, status in (({"event_id": "0" * 24}, 404), ({}, 422), ({"event": {}, "event_id": part.id}, 422)):
        assert (await owner.post(f"{PATH}/explain", json=body)).status_code == status
