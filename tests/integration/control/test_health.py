"""Alive, ready, and the metrics, with engines up and away."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.conftest import ValkeyProcess
from tests.integration.control.conftest import ControlOptions, LogIn, Visit, cheapen
from tests.integration.control.test_resources import put_bot, put_nexus
from tests.postgres import PostgresProcess

from botmatrix.control.parts import Parts, build
from botmatrix.store.migrate import upgrade
from botmatrix.store.tables import Role


async def test_ready_names_every_part_and_its_start(client: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa", started="1700000000.5")
    await parts.presence.announce("w1", {"started": "1700000001"})
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    starts = {one["id"]: one["started_at"] for one in ready.json()["parts"]}
    assert starts == {"control": parts.started_at, "n1.aa": 1700000000.5, "w1": 1700000001.0}
    assert ready.json()["warnings"] == []


async def test_without_a_nexus_nothing_is_ready(client: httpx.AsyncClient) -> None:
    refused = await client.get("/readyz")
    assert refused.status_code == 503
    assert refused.json()["success"] is False
    assert refused.json()["checks"]["gateway"]["ok"] is False
    assert "botmatrix nexus" in refused.json()["message"]
    assert refused.json()["checks"]["redis"]["ok"] is True


async def test_parts_that_disagree_on_skills_are_named(client: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa", enable_skill="true")
    await parts.presence.announce("w1", {"enable_skill": "0"})
    warnings = (await client.get("/readyz")).json()["warnings"]
    assert warnings == ["enable_skill differs: on in n1.aa; off in control, w1. Give all parts the same value"]


async def test_metrics_carry_the_counters_of_the_spine(client: httpx.AsyncClient, parts: Parts) -> None:
    await parts.redis.call("HSET", "botmatrix:stats", "settled", 42)
    await put_nexus(parts, "n1.aa", received="7", version="1.0")
    await put_bot(parts, "qq:1", "n1.aa", state="online")
    await parts.presence.announce('w"1', {"in_flight": "3"})
    text = (await client.get("/metrics")).text
    for line in (
        "botmatrix_redis_up 1.0",
        "botmatrix_settled_total 42.0",
        'botmatrix_nexus_received{nexus="n1.aa"} 7.0',
        'botmatrix_bots{state="online"} 1.0',
        'botmatrix_worker_in_flight{worker="w\\"1"} 3.0',
        'botmatrix_queue_backlog{lane="default"} 0.0',
    ):
        assert f"\n{line}\n" in text
    assert "process_resident_memory_bytes" in text


async def test_metrics_from_elsewhere_need_a_token(visit: Visit, log_in: LogIn) -> None:
    stranger = visit("203.0.113.7")
    assert (await stranger.get("/metrics")).status_code == 401
    assert (await stranger.get("/metrics", headers={"Authorization": "Bearer x"})).status_code == 401
    token = (await log_in(Role.VIEWER)).headers["Authorization"]
    assert (await stranger.get("/metrics", headers={"Authorization": token})).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_a_proxy_on_this_machine_does_not_open_the_metrics(client: httpx.AsyncClient, header: str) -> None:
    assert (await client.get("/metrics", headers={header: "203.0.113.7"})).status_code == 401


async def test_a_lost_redis_is_named_and_heals(
    client: httpx.AsyncClient, parts: Parts, own_valkey: ValkeyProcess, options: ControlOptions
) -> None:
    options.redis_url = own_valkey.url
    moved = build(options.current())
    parts.presence, parts.redis = moved.presence, moved.redis
    await put_nexus(parts, "n1.aa")
    own_valkey.stop(kill=True)
    refused = await client.get("/readyz")
    assert refused.status_code == 503
    assert not refused.json()["checks"]["redis"]["ok"]
    assert "botmatrix_redis_up 0.0" in (await client.get("/metrics")).text
    own_valkey.start()
    assert (await client.get("/readyz")).json()["checks"]["redis"] == {"ok": True, "reason": ""}
    await moved.close()


async def test_a_lost_redis_does_not_stop_logins(
    client: httpx.AsyncClient, parts: Parts, own_valkey: ValkeyProcess, options: ControlOptions
) -> None:
    options.redis_url = own_valkey.url
    moved = build(options.current())
    parts.throttle, parts.presence = moved.throttle, moved.presence
    own_valkey.stop(kill=True)
    await parts.users.create("alice", "correct horse", Role.ADMIN)
    body = {"username": "alice", "password": "wrong"}
    answers = [(await client.post("/api/login", json=body)).status_code for _ in range(8)]
    assert answers == [401] * 6 + [429] * 2
    refused = await client.get("/api/bots", headers={"Authorization": "Bearer x"})
    assert refused.status_code == 401
    await moved.close()


async def test_a_lost_redis_makes_lists_503_in_words(
    owner: httpx.AsyncClient, parts: Parts, own_valkey: ValkeyProcess, options: ControlOptions
) -> None:
    options.redis_url = own_valkey.url
    moved = build(options.current())
    parts.presence, parts.actions = moved.presence, moved.actions
    own_valkey.stop(kill=True)
    for refused in (
        await owner.get("/api/bots"),
        await owner.get("/api/queues"),
        await owner.post("/api/action", json={"bot": "qq:1", "action": "x"}),
    ):
        assert (refused.status_code, refused.json()["error"]) == (503, "engine_unavailable")
        assert "retry-after" in refused.headers
    await moved.close()


async def test_a_killed_postgres_is_503_and_heals(
    visit: Visit, parts: Parts, own_postgres: PostgresProcess, options: ControlOptions
) -> None:
    options.database_url = own_postgres.url()
    await upgrade(options.database_url, part="tests")
    moved = build(options.current())
    cheapen(moved)
    parts.database, parts.users, parts.logins = moved.database, moved.users, moved.logins
    await parts.users.create("alice", "correct horse", Role.ADMIN)
    client, body = visit(), {"username": "alice", "password": "correct horse"}
    assert (await client.post("/api/login", json=body)).status_code == 200
    own_postgres.stop(kill=True)
    refused = await client.get("/api/me")
    assert (refused.status_code, refused.json()["error"]) == (503, "engine_unavailable")
    assert str(own_postgres.port) not in refused.json()["message"]
    assert not (await client.get("/readyz")).json()["checks"]["postgresql"]["ok"]
    own_postgres.start()
    assert (await client.get("/api/me")).status_code == 200
    await moved.close()


async def test_alive_needs_no_engine_and_no_time(
    client: httpx.AsyncClient, own_postgres: PostgresProcess, parts: Parts, options: ControlOptions
) -> None:
    options.database_url = own_postgres.url()
    moved = build(options.current())
    parts.database = moved.database
    await parts.database.ping()
    own_postgres.pause()
    try:
        start = time.monotonic()
        assert (await client.get("/healthz")).json()["status"] == "alive"
        refused = await client.get("/readyz")
        assert time.monotonic() - start < 8  # a look at the paused engine would never end
        assert refused.json()["checks"]["postgresql"]["reason"] == "no answer within 1 s"
    finally:
        own_postgres.resume()
    await moved.close()
