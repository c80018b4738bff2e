"""Bots and groups that were seen: taken over from Redis into the tables, shown as lists."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from tests.integration.control.test_resources import KEYS, put_bot, put_nexus
from tests.pace import slowness

from botmatrix.bus.core import CoreBox
from botmatrix.control.bot_list import SORTS
from botmatrix.control.parts import Parts, build
from botmatrix.control.seen_keeper import SeenKeeper


async def test_a_bot_stays_in_the_list_when_redis_has_lost_it(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa")
    await put_bot(parts, "qq:1", "n1.aa", state="online", nickname="小助手", received="12", user_agent="OneBot/11")
    await parts.seen_keeper.round()
    await parts.redis.call("FLUSHALL")
    found = (await owner.get("/api/bots/qq:1")).json()["bot"]
    assert (found["state"], found["nickname"], found["user_agent"]) == ("offline", "小助手", "OneBot/11")
    assert (found["received"], found["total_received"]) == (0, 12)
    assert time.time() - 120 < found["first_seen"] <= time.time()
    assert (await owner.get("/api/bots")).json()["total"] == 1


async def test_counters_of_all_nexuses_add_up(owner: httpx.AsyncClient, parts: Parts) -> None:
    async def total() -> int:
        return int((await owner.get("/api/bots/qq:1")).json()["bot"]["total_received"])

    await put_nexus(parts, "n1.aa")
    await put_bot(parts, "qq:1", "n1.aa", state="online", received="10")
    await parts.seen_keeper.round()
    await put_bot(parts, "qq:1", "n1.aa", state="online", received="15")
    assert await total() == 15, "what the table does not have yet is counted too"
    await parts.seen_keeper.round()
    await parts.seen_keeper.round()
    assert await total() == 15
    await put_bot(parts, "qq:1", "n2.bb", state="online", received="4")
    assert await total() == 19
    await parts.seen_keeper.round()
    assert await total() == 19
    await put_bot(parts, "qq:1", "n2.bb", state="online", received="1")
    await parts.seen_keeper.round()
    assert await total() == 20, "the nexus had forgotten the bot and counts from 0"


async def test_several_control_processes_count_everything_once(parts: Parts) -> None:
    others = [build(parts.current) for _ in range(2)]
    await put_nexus(parts, "n1.aa")
    for received in range(10, 60, 10):
        await put_bot(parts, "qq:1", "n1.aa", state="online", received=str(received))
        for one in (parts, *others):
            await one.seen_keeper.round()
    (row,) = await parts.seen.bots()
    assert row["received"] == 50
    for one in others:
        await one.close()


async def test_a_keeper_leaves_the_tables_to_the_one_that_writes(parts: Parts) -> None:
    await put_bot(parts, "qq:1", "n1.aa", received="10")
    async with parts.seen.turn() as turn:
        assert turn is not None
        await parts.seen_keeper.round()
    assert await parts.seen.bots() == []
    await parts.seen_keeper.round()
    assert len(await parts.seen.bots()) == 1


async def test_a_group_names_the_bots_that_are_in_it(owner: httpx.AsyncClient, parts: Parts) -> None:
    for self_id, groups in (("1", {"100": "家", "200": "Work"}), ("2", {"200": "Work"})):
        await parts.redis.call("SET", KEYS.groups(f"qq:{self_id}"), json.dumps(groups))
        await put_bot(parts, f"qq:{self_id}", "n", groups_mark=f"a{self_id}")
    await CoreBox(parts.redis, KEYS).add(time.strftime("%Y%m%d", time.gmtime()), {"group": {"qq:200": 7}}, ())
    await parts.seen_keeper.round()
    page = (await owner.get("/api/groups", params={"sort": "-group"})).json()
    assert [(one["group"], one["name"], one["bots"], one["messages_today"]) for one in page["groups"]] == [
        ("qq:200", "Work", ["qq:1", "qq:2"], 7),
        ("qq:100", "家", ["qq:1"], 0),
    ]
    assert (await owner.get("/api/groups", params={"q": "wor", "size": 1})).json()["total"] == 1
    await parts.redis.call("SET", KEYS.groups("qq:1"), json.dumps({"200": "Work"}))
    await put_bot(parts, "qq:1", "n", groups_mark="b1")
    await parts.seen_keeper.round()
    assert (await owner.get("/api/groups?q=100")).json()["groups"][0]["bots"] == []


async def test_a_group_that_no_list_names_is_seen_when_it_speaks(owner: httpx.AsyncClient, parts: Parts) -> None:
    day = time.strftime("%Y%m%d", time.gmtime())
    await parts.core_box.add(day, {"group": {"qq:300": 1, "other": 5}}, ())
    await parts.seen_keeper.round()
    assert [one["group"] for one in (await owner.get("/api/groups")).json()["groups"]] == ["qq:300"]


@pytest.mark.parametrize("name", ["", "no-colon", "qq:", ":1", "qq:a\x00b", "qq:" + "9" * 500])
async def test_a_bot_that_can_be_none_is_left_out(name: str, parts: Parts) -> None:
    await parts.redis.call(
        "HSET", KEYS.bot(name), "nickname", "x\x00y\ud83d".encode(errors="replace"), "since", "1e300"
    )
    await parts.redis.call("SADD", KEYS.bots, name)
    await put_bot(parts, "qq:1", "n", nickname="a\x00b", since="1e300", groups_mark="m")
    await parts.seen_keeper.round()
    (row,) = await parts.seen.bots()
    assert (row["platform"], row["self_id"], row["nickname"]) == ("qq", "1", "a�b")


async def test_a_page_of_five_thousand_bots_costs_little(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa")
    commands = [
        ("HSET", KEYS.bot(f"qq:{i}"), "nexus", "n1.aa", "state", "online", "received", str(i), "nickname", f"Bot {i}")
        for i in range(5000)
    ]
    for start in range(0, 5000, 500):
        await parts.redis.pipeline(*commands[start : start + 500])
    await parts.redis.call("SADD", KEYS.bots, *(f"qq:{i}" for i in range(5000)))
    keeper = SeenKeeper(parts.presence, parts.core_box, parts.seen)
    await keeper.round()
    for params, first in (
        ("?sort=-received&page=3&q=bot", 4899),
        ("?sort=-total_received", 4999),
        ("", 0),
        ("?sort=-state", None),
    ):
        times = []
        for _ in range(5):
            began = time.process_time()
            page = (await owner.get(f"/api/bots{params}")).json()
            times.append(time.process_time() - began)
        assert (page["total"], len(page["bots"])) == (5000, 50)
        assert first is None or page["bots"][0]["received"] == first
        assert min(times) < 0.2 * slowness(), f"{params}: {min(times):.3f} s of CPU"


async def test_every_sort_and_search_agrees_with_what_is_shown(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_nexus(parts, "n1.aa")
    await put_bot(parts, "qq:1", "n1.aa", state="online", nickname="Zoe", received="5", since="9", remote="h:1")
    await put_bot(parts, "qq:2", "gone", state="online", nickname="abe", received="70", groups="3", sent="1")
    await parts.seen_keeper.round()
    await put_bot(parts, "qq:2", "gone", received="71")
    await put_bot(parts, "qq:3", "n1.aa", state="degraded", user_agent="OneBot/11", last_event_at="8", failed="2")
    await parts.redis.call("SADD", KEYS.bots, "qq:a\x00b")
    await parts.redis.call("DEL", KEYS.bot("qq:1"))
    for field in SORTS:
        rows = (await owner.get("/api/bots", params={"sort": field})).json()["bots"]
        shown = [row[field].casefold() if isinstance(row[field], str) else row[field] for row in rows]
        assert (len(rows), shown) == (4, sorted(shown)), field
    for q, found in (
        ("zoe", ["qq:1"]),
        ("DEGRADED", ["qq:3"]),
        ("onebot", ["qq:3"]),
        ("h:1", ["qq:1"]),
        ("q:2", ["qq:2"]),
    ):
        assert [row["bot"] for row in (await owner.get("/api/bots", params={"q": q})).json()["bots"]] == found
