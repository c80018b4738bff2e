"""What an explanation says beside rules and the judge: what else would meet the event."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from tests.integration.control.conftest import ControlOptions

from botmatrix.bus.keys import Keys
from botmatrix.control.parts import Parts
from botmatrix.core.plugins import Cell, with_cells
from botmatrix.skills.model import Capability, encode
from botmatrix.tasks.definition import Definition
from botmatrix.tasks.model import ActionType, TaskType

KEYS = Keys()
BOT, OTHER = "qq:10001", "qq:10002"
WEATHER = Capability(name="weather", regex="^weather", permission="member")
SECRET = Capability(name="secret", regex="^weather", permission="owner")


@pytest.fixture
def options(options: ControlOptions) -> ControlOptions:
    """The skill system is on."""
    options.enable_skill = True
    return options


async def ask(client: httpx.AsyncClient, text: str = "hello", **event: Any) -> dict[str, Any]:
    event = {"user_id": 7, "group_id": 456, "message": text, "raw_message": text, **event}
    answer = await client.post("/api/admin/routing/explain", json={"event": event, "bot": BOT})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def facts(found: dict[str, Any], code: str) -> list[dict[str, str]]:
    return [note["facts"] for note in found["notes"] if note["code"] == code]


async def put_worker(parts: Parts, name: str, pool: str = "default", can: tuple[Capability, ...] = ()) -> None:
    await parts.redis.call("HSET", KEYS.own, name, f"1|{name}.aa")
    await parts.redis.call("SET", KEYS.lease(f"{name}.aa"), "1")
    fields = {"pool": pool, "capabilities": encode(list(can)).decode(), "enable_skill": "true"}
    await parts.presence.announce(name, fields)


async def test_limits_are_told_to_those_that_they_count_for(owner: httpx.AsyncClient, parts: Parts) -> None:
    fields = ("user_limit_per_min", "20", "group:qq:456:limit", "60", "bot_limit_per_min", "0", "nonsense", "x")
    await parts.redis.call("HSET", KEYS.config_ratelimit, *fields)
    found = await ask(owner)
    assert facts(found, "limit_user") == [{"id": "7", "per_min": "20"}]
    assert facts(found, "limit_group") == [{"id": "456", "per_min": "60"}]
    assert not facts(found, "limit_bot")
    assert not facts(await ask(owner, group_id=457), "limit_group")
    notice = await ask(owner, post_type="notice", notice_type="group_increase")
    assert not [one for one in notice["notes"] if one["code"].startswith("limit")]


async def put_policy(owner: httpx.AsyncClient, policy: str, *bots: str) -> None:
    body = {"group": "qq:456", "policy": policy, "bots": list(bots)}
    assert (await owner.post("/api/admin/group-policies", json=body)).status_code == 200


async def come_online(parts: Parts, *bots: str) -> None:
    await parts.redis.call("SET", KEYS.lease("n1.a"), "1")
    for bot in bots:
        await parts.redis.call("HSET", KEYS.bot(bot), "state", "online", "nexus", "n1.a")
    await parts.groups_box.hear({("qq:456", bot): int(time.time()) for bot in bots})


async def test_a_groups_policy_says_which_bot_answers(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_worker(parts, "w1")
    await put_policy(owner, "one", OTHER, BOT)
    found = await ask(owner)
    assert (found["verdict"], facts(found, "group_this_bot")[0]["bot"]) == ("lane", BOT)
    await come_online(parts, OTHER)
    found = await ask(owner)
    assert (found["verdict"], found["ways"], found["judge"]["blocked"]) == ("blocked", [], False)
    assert found["why"] == "the group qq:456 has the policy one, and qq:10002 answers there: it ends here"
    assert [note["stops"] for note in found["notes"]] == [True]
    assert (await ask(owner, group_id=457))["verdict"] == "lane"
    assert (await ask(owner, group_id=0))["verdict"] == "lane"
    await put_policy(owner, "one", "qq:10009")
    assert facts(found := await ask(owner), "group_nobody"), found


async def test_a_bot_that_is_mentioned_answers(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_worker(parts, "w1")
    await put_policy(owner, "mentioned", OTHER, BOT)
    await come_online(parts, OTHER)
    assert (await ask(owner))["verdict"] == "blocked"
    assert (await ask(owner, "[CQ:at,qq=10001] hi"))["verdict"] == "lane"
    await put_policy(owner, "mentioned", BOT, OTHER)
    assert (await ask(owner))["verdict"] == "lane"
    assert facts(await ask(owner, "[CQ:at,qq=10002] hi"), "group_other_bot")[0]["bot"] == OTHER


async def test_words_that_mean_a_skill_go_to_a_worker_that_has_it(owner: httpx.AsyncClient, parts: Parts) -> None:
    await put_worker(parts, "w1")
    await put_worker(parts, "w2", "vip", (SECRET, WEATHER))
    await parts.redis.call("HSET", KEYS.affinity(BOT), "group:456\tskill:weather", "w2")
    found = await ask(owner, "weather in Bonn")
    assert (found["verdict"], found["chosen"], found["rule"]) == ("lane", "w2", None)
    assert [(way["target"], way["last_lane"]) for way in found["ways"]] == [("skill:weather", "w2")]
    assert facts(found, "skill_forbidden") == [{"skill": "secret", "permission": "owner"}]
    assert facts(found, "skill") == [{"skill": "weather", "workers": "w2"}]
    assert (await ask(owner, "what weather"))["chosen"] == "w1"
    await owner.post("/api/admin/routing", json={"key": "group_456", "worker_id": "w1"})
    found = await ask(owner, "weather in Bonn")
    assert (found["chosen"], facts(found, "skill_nobody")) == ("w1", [{"skill": "weather"}])
    await owner.post("/api/admin/routing", json={"key": "group_456", "worker_id": "w1,pool:vip"})
    assert (await ask(owner, "weather in Bonn"))["chosen"] == "w2"
    both = {"key": "group_456", "worker_id": "w1,w2", "deliver": "all"}
    await owner.post("/api/admin/routing", json=both)
    found = await ask(owner, "weather in Bonn")
    assert ([way["target"] for way in found["ways"]], facts(found, "skill_left_alone")[0]) == (
        ["w1", "w2"],
        {"skill": "secret"},
    )


async def test_tasks_are_told_that_it_sets_off(owner: httpx.AsyncClient, parts: Parts) -> None:
    ids = {}
    for name, config in (("greets", {"keyword": "hello"}), ("calms", {"keyword": "hello", "cooldown": 5})):
        config = {"event": "message", **config}
        does = {"message": "hi"}
        made = Definition(name, TaskType.CONDITION, config, ActionType.SEND_MESSAGE, does)
        ids[name] = str((await parts.tasks.create(made, "me")).id) if parts.tasks else ""
    found = await ask(owner)
    assert facts(found, "task") == [{"id": ids["greets"], "name": "greets"}]
    assert facts(found, "task_cooldown") == [{"id": ids["calms"], "name": "calms", "cooldown": "5"}]
    assert not facts(await ask(owner, "bye"), "task")
    await parts.redis.call("SADD", KEYS.bots, "qq:7")
    assert not facts(await ask(owner), "task"), "what bots of ours say sets nothing off"
    await parts.redis.call("SREM", KEYS.bots, "qq:7")
    await owner.post("/api/admin/routing", json={"key": "user_7", "worker_id": "block"})
    assert (await ask(owner))["notes"] == []


async def test_duplicates_and_plugins_that_do_not_hear_it_are_told(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.redis.call("HSET", KEYS.config_ttl, "idempotency_ttl_sec", "300")
    cells = [Cell(plugin="game", group="qq:456"), Cell(plugin="news", group="qq:457")]
    await parts.plugins.change(lambda wishes: with_cells(wishes, cells), "me")
    await owner.post("/api/plugins/bank/disable")
    found = await ask(owner)
    assert facts(found, "duplicate") == [{"seconds": "300"}]
    assert facts(found, "plugins_barred") == [{"plugins": "game"}]
    assert not facts(found, "safe_mode")


async def test_an_event_that_the_judge_blocks_meets_nothing_else(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.redis.call("HSET", KEYS.config_ratelimit, "user_limit_per_min", "20")
    lists = {"permissions": {"blacklist": {"system": ["qq:7"]}}}
    assert (await owner.post("/api/admin/core", json=lists)).status_code == 200
    assert (await ask(owner))["notes"] == []
