"""Hot configuration by REST."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from botmatrix.control.parts import Parts

PATH = "/api/admin/redis/config"


async def test_all_three_are_answered_with_their_defaults(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.redis.call("HSET", "botmatrix:rules:routing", "group_5", "w1")
    answer = (await owner.get(PATH)).json()
    assert (answer["ratelimit"], answer["ttl"], answer["rules"]) == ({}, {}, {"group_5": "w1"})
    assert answer["defaults"]["ttl"]["idempotency_ttl_sec"] == 120
    assert answer["defaults"]["ratelimit"]["user_limit_per_min"] == 0


async def test_fields_are_set_dropped_and_written_down(owner: httpx.AsyncClient) -> None:
    data = {"user_limit_per_min": "20", "user:5:limit": "0"}
    answer = (await owner.post(PATH, json={"type": "ratelimit", "data": data})).json()
    assert answer["ratelimit"] == data
    change = {"type": "ratelimit", "data": {"user:5:limit": "", "user_limit_per_min": "30"}}
    assert (await owner.post(PATH, json=change)).json()["ratelimit"] == {"user_limit_per_min": "30"}
    await owner.post(PATH, json=change)
    written = (await owner.get("/api/audit")).json()["audit"]
    assert len(written) == 2
    assert (written[0]["what"], written[0]["object"]) == ("hot.change", "ratelimit")
    assert written[0]["before"] == data
    assert written[0]["after"] == {"user_limit_per_min": "30"}
    cleared = await owner.post(PATH, json={"type": "ratelimit", "clear": True, "data": {"bot_limit_per_min": "5"}})
    assert cleared.json()["ratelimit"] == {"bot_limit_per_min": "5"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"type": "ratelimit", "data": {"user_limit_per_min": "many", "group_limit_per_min": "5"}}, "user_limit_per"),
        ({"type": "ratelimit", "data": {"user:5:limit": "-1"}}, "data.user:5:limit"),
        ({"type": "ttl", "data": {"idempotency_ttl_sec": "0"}}, "1 to 86400"),
        ({"type": "ttl", "data": {"idempotency_ttl": "5"}}, "did you mean idempotency_ttl_sec?"),
        ({"type": "rules", "clear": True}, "DELETE"),
        ({"type": "rules", "data": {"group_5": ""}}, "DELETE"),
        ({"type": "rules", "data": {"group_5": "w 1"}}, "target"),
        ({"type": "nonsense"}, "type"),
        ({"type": "ttl", "data": {"idempotency_ttl_sec": 5}}, "idempotency_ttl_sec"),
    ],
)
async def test_what_can_not_be_used_is_refused_as_a_whole_by_name(
    owner: httpx.AsyncClient, change: dict[str, Any], named: str
) -> None:
    refused = await owner.post(PATH, json=change)
    assert (refused.status_code, refused.json()["error"]) == (422, "invalid")
    assert named in refused.json()["message"]
    assert (await owner.get(PATH)).json()["ratelimit"] == {}


async def test_what_came_into_redis_by_other_means_is_shown_with_its_problem(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    await parts.redis.call("HSET", "botmatrix:config:ttl", "session_ttl_sec", "never", "\x00\xff", "1")
    answer = (await owner.get(PATH)).json()
    assert answer["ttl"]["session_ttl_sec"] == "never"
    assert "60 to 31536000" in answer["problems"]["ttl"]["session_ttl_sec"]
    assert len(answer["problems"]["ttl"]) == 2


async def test_a_routing_rule_is_kept_as_by_its_own_route(owner: httpx.AsyncClient) -> None:
    change = {"type": "rules", "data": {"group_77*": "w1"}}
    assert list((await owner.post(PATH, json=change)).json()["rules"]) == ["group_77*"]
    (rule,) = (await owner.get("/api/admin/routing")).json()["rules"]
    assert (rule["key"], rule["worker_id"]) == ("group_77*", "w1")
