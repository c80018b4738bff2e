"""Bots, workers, queues, dead letters: what the engines hold, as lists."""

from __future__ import annotations

import httpx
import pytest

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts

KEYS = Keys()


async def put_bot(parts: Parts, bot: str, nexus: str, **fields: str) -> None:
    flat = [part for pair in {"nexus": nexus, "epoch": "7", **fields}.items() for part in pair]
    await parts.redis.call("HSET", KEYS.bot(bot), *flat)
    await parts.redis.call("SADD", KEYS.bots, bot)


async def put_nexus(parts: Parts, inc: str, *, expires_in_ms: int = 10_000, **fields: str) -> None:
    flat = [part for pair in {"seq": "1", **fields}.items() for part in pair]
    await parts.redis.call("HSET", KEYS.nexus(inc), *flat)
    await parts.redis.call("SADD", KEYS.nexuses, inc)
    await parts.redis.call("SET", KEYS.lease(inc), "1", "PX", expires_in_ms)


async def put_letter(parts: Parts, reason: str) -> str:
    entry = await parts.redis.call("XADD", KEYS.dead, "*", "payload", "{}", "reason", reason, "lane", "w1")
    return str(entry.decode())


async def test_a_bot_is_shown_as_its_nexus_wrote_it(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa")
    await put_bot(parts, "qq:10001", "n1.aa", state="online", nickname="小助手", groups="3", received="12")
    found = (await owner.get("/api/bots/QQ:10001")).json()["bot"]
    assert found["state"] == "online"
    assert found["nickname"] == "小助手"
    assert found["groups"] == 3
    assert (found["platform"], found["self_id"], found["received"], found["epoch"]) == ("qq", "10001", 12, 7)


async def test_a_bot_whose_nexus_is_gone_is_offline(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_bot(parts, "qq:1", "dead.nexus", state="online")
    assert (await owner.get("/api/bots/qq:1")).json()["bot"]["state"] == "offline"


async def test_an_unknown_bot_is_404(owner: httpx.AsyncClient) -> None:
    refused = await owner.get("/api/bots/qq:404")
    assert (refused.status_code, refused.json()["error"]) == (404, "unknown_bot")


async def test_numbers_that_are_none_do_not_spoil_the_list(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_bot(parts, "qq:1", "n", received="many", groups="[1]", since="nan", epoch="")
    found = (await owner.get("/api/bots")).json()["bots"][0]
    assert (found["received"], found["groups"], found["since"], found["epoch"]) == (0, 0, 0, 0)


async def test_a_list_is_cut_sorted_and_searched(owner: httpx.AsyncClient, parts: Parts) -> None:
    for number in range(12):
        await put_bot(parts, f"qq:{number}", "n", received=str(number), nickname=f"Bot {number % 3}")
    page = (await owner.get("/api/bots", params={"sort": "-received", "size": 5, "page": 2})).json()
    assert [one["received"] for one in page["bots"]] == [6, 5, 4, 3, 2]
    assert (page["success"], page["total"], page["page"], page["size"]) == (True, 12, 2, 5)
    assert (await owner.get("/api/bots", params={"q": "bOT 1"})).json()["total"] == 4


@pytest.mark.parametrize("query", ["sort=password", "size=0", "size=501", "page=0", "page=x", "q=" + "x" * 201])
async def test_a_page_that_can_not_be_is_422(owner: httpx.AsyncClient, query: str) -> None:
    refused = await owner.get(f"/api/bots?{query}")
    assert (refused.status_code, refused.json()["success"]) == (422, False)


async def test_workers_say_what_they_do(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.presence.announce(
        "w1", {"pool": "default", "in_flight": "3", "incarnation": "w1.ab", "skills": '["a"]'}
    )
    found = (await owner.get("/api/workers")).json()["workers"]
    assert [(one["id"], one["in_flight"], one["incarnation"], one["skills"]) for one in found] == [
        ("w1", 3, "w1.ab", ["a"])
    ]


async def test_the_times_of_a_worker_are_told_apart(owner: httpx.AsyncClient, parts: Parts) -> None:
    times = {"response_ms": 30.5, "response_p95_ms": 91.0, "waiting_ms": 10.25, "handling_ms": 20.0}
    await parts.presence.announce("w1", {name: str(ms) for name, ms in times.items()})
    found = (await owner.get("/api/workers", params={"sort": "-response_p95_ms"})).json()["workers"][0]
    assert {name: found[name] for name in times} == times
    metrics = (await owner.get("/metrics")).text
    assert all(f'botmatrix_worker_{name}{{worker="w1"}} {ms}' in metrics for name, ms in times.items())


async def test_a_worker_is_asked_to_drain_and_to_come_back(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.presence.announce("w1", {"pool": "default"})
    assert (await owner.post("/api/workers/w1/drain")).json() == {"success": True, "id": "w1", "draining": True}
    assert await parts.presence.draining("w1")
    await parts.redis.call("XADD", Keys().lane("w1"), "*", "e", "x")
    (row,) = (await owner.get("/api/workers")).json()["workers"]
    assert (row["draining"], row["queued"], row["drained"]) == (True, 1, False)
    await parts.redis.call("DEL", Keys().lane("w1"))
    (row,) = (await owner.get("/api/workers")).json()["workers"]
    assert (row["draining"], row["queued"], row["drained"]) == (True, 0, True)
    await owner.post("/api/workers/w1/drain?on=false")
    assert not await parts.presence.draining("w1")


@pytest.mark.parametrize("worker", ["nobody", "a%00b", "..%2f"])
async def test_an_unknown_worker_is_404(owner: httpx.AsyncClient, worker: str) -> None:
    assert (await owner.post(f"/api/workers/{worker}/drain")).status_code == 404


async def test_queues_show_backlog_and_dead_letters(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.redis.call("HSET", KEYS.own, "w1", "5|w1.ab")
    await parts.redis.call("XADD", KEYS.lane("w1"), "*", "payload", "{}")
    await put_letter(parts, "raised")
    answer = (await owner.get("/api/queues")).json()
    lane = next(one for one in answer["queues"] if one["lane"] == "w1")
    assert (lane["backlog"], lane["pending"], lane["alive"], lane["owner"]) == (1, 0, False, "w1.ab")
    assert answer["dead"] == 1


async def test_a_dead_letter_is_replayed_once(owner: httpx.AsyncClient, parts: Parts) -> None:
    letter = await put_letter(parts, "raised")
    assert (await owner.get("/api/queues/dead")).json()["dead"][0]["reason"] == "raised"
    done = await owner.post("/api/queues/dead/replay", json={"id": letter})
    assert done.json() == {"success": True, "replayed": 1, "left": 0}
    assert (await owner.post("/api/queues/dead/replay", json={"id": letter})).status_code == 404


async def test_all_dead_letters_go_only_when_all_is_said(owner: httpx.AsyncClient, parts: Parts) -> None:
    for _ in range(3):
        await put_letter(parts, "raised")
    assert (await owner.post("/api/queues/dead/purge", json={})).status_code == 422
    assert (await owner.post("/api/queues/dead/purge", json={"all": True})).json()["purged"] == 3
    assert (await owner.post("/api/queues/dead/purge", json={"all": True})).json()["purged"] == 0


async def test_connect_info_names_url_and_token_and_is_kept_nowhere(owner: httpx.AsyncClient) -> None:
    answer = await owner.get("/api/connect-info")
    assert answer.json() == {"success": True, "url": "ws://127.0.0.1:3001/onebot/v11/ws", "token": "the-bot-token"}
    assert answer.headers["cache-control"] == "no-store"
