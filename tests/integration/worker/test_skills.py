"""Skill calls at a worker as it runs: executed where the skill system is on, declined where it is off."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.integration.worker.composed import composed, message, said
from tests.integration.worker.support import KEYS, Stage, until

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.plugins import PluginsBox
from botmatrix.bus.signals import Signals
from botmatrix.core.plugins import switched

SKILLS = """
import asyncio, time
from botmatrix import Plugin

plugin = Plugin(id="skills")


@plugin.skill("add", description="Adds")
async def add(a: int, b: int = 1) -> int:
    return a + b


@plugin.skill("shout")
def shout(text: str) -> str:
    return text.upper()


@plugin.skill("hello", regex=r"^hello (?P<name>\\w+)( (?P<times>\\S+))?$", permission="member")
async def hello(name: str, user_id: str, times: int = 1) -> str:
    return f"{user_id}: " + name * times


@plugin.skill("secret", regex="^secret$")
def secret() -> dict[str, int]:
    return {"a": 1}


@plugin.skill("fail")
async def fail() -> None:
    raise RuntimeError("no luck")


@plugin.skill("sleep", timeout=0.3)
async def sleep() -> None:
    await asyncio.sleep(60)
"""
ON = {"ENABLE_SKILL": "true"}


def call(skill: str, number: int = 1, **fields: Any) -> bytes:
    body = {"type": "skill_call", "skill": skill, "task_id": 12, "execution_id": f"e{number}", "timestamp": 1766500000}
    return json.dumps({**body, **fields}).encode()


async def results(stage: Stage, count: int) -> list[dict[str, Any]]:
    """The results, once there are so many."""

    async def there() -> bool:
        return int(await stage.redis.call("XLEN", KEYS.skill_results)) >= count

    await until(there)
    entries = await stage.redis.call("XRANGE", KEYS.skill_results, "-", "+")
    return [json.loads(fields[1]) for _, fields in entries]


async def test_off_a_call_is_declined_and_nothing_is_reported(stage: Stage, home: Path) -> None:
    heard: list[bytes] = []
    signals = Signals(stage.url, name="test")
    signals.subscribe(KEYS.worker_register, heard.append)
    async with composed(stage, home, skills=SKILLS) as worker:
        await stage.put_raw("w1", call("add", params={"a": 1}))
        (result,) = await results(stage, 1)
        said = {name: result[name] for name in ("status", "execution_id", "task_id", "worker_id", "result")}
        assert said == {"status": "declined", "execution_id": "e1", "task_id": "12", "worker_id": "w1", "result": ""}
        await stage.until_settled("w1")
        presence = await stage.presence("w1")
        assert presence["enable_skill"] == "false"
        assert "capabilities" not in presence
        assert "skills" not in presence
        assert "skill system is disabled" in worker.output()
        await stage.put("w1", message("/echo hello"))
        await stage.until_sent(1)
    await signals.close()
    assert heard == []


async def test_on_skills_are_reported_at_the_start_and_in_the_presence(stage: Stage, home: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    signals = Signals(stage.url, name="test")
    signals.subscribe(KEYS.worker_register, heard.put_nowait)
    async with composed(stage, home, environ=ON, skills=SKILLS):
        async with asyncio.timeout(10):
            said = json.loads(await heard.get())
        presence = await stage.presence("w1")
    await signals.close()
    assert (said["type"], said["worker_id"]) == ("worker_register", "w1")
    assert said["capabilities"][0] == {
        "name": "add",
        "description": "Adds",
        "usage": "add a=<a> [b=<b>]",
        "params": {"a": "integer", "b": "integer"},
        "schema": said["capabilities"][0]["schema"],
        "permission": "admin",
    }
    assert json.loads(presence["capabilities"]) == said["capabilities"]
    assert (presence["skills"], presence["enable_skill"]) == ("add,shout,hello,secret,fail,sleep", "true")


async def test_on_calls_are_executed_and_reported_once(stage: Stage, home: Path) -> None:
    async with composed(stage, home, environ=ON, skills=SKILLS):
        await stage.put_raw(
            "w1",
            call("add", 1, params={"skill": "add", "worker_id": "w1", "a": "2", "b": 3}),
            call("shout", 2, params={"text": "天气 ok"}),
            call("fail", 3),
            call("sleep", 4),
            call("add", 5, params={}),
            call("nothing", 6),
            call("add", 7, params={"a": 1}, deadline=1.0),
        )
        found = {one["execution_id"]: one for one in await results(stage, 7)}
        await stage.until_settled("w1")
        counters = dict(zip(*[iter(await stage.redis.call("HGETALL", KEYS.stats))] * 2, strict=True))
    assert {id: (one["status"], one["result"]) for id, one in sorted(found.items())} == {
        **{"e1": ("success", "5"), "e2": ("success", "天气 OK"), "e3": ("failed", ""), "e4": ("failed", "")},
        **{"e5": ("failed", ""), "e6": ("declined", ""), "e7": ("failed", "")},
    }
    assert "no luck" in found["e3"]["error"]
    assert "0.3 s" in found["e4"]["error"]
    assert "a: " in found["e5"]["error"]
    assert "time limit" in found["e7"]["error"]
    assert counters == {b"answered": b"7"}


async def test_a_worker_that_is_switched_off_takes_its_skills_back(stage: Stage, home: Path) -> None:
    async with composed(stage, home, environ=ON, skills=SKILLS):
        assert "capabilities" in await stage.presence("w1")
    async with composed(stage, home, skills=SKILLS):
        presence = await stage.presence("w1")
    assert "capabilities" not in presence
    assert "skills" not in presence


async def test_skills_follow_their_plugin_when_it_is_edited_and_switched_off(stage: Stage, home: Path) -> None:
    async def has(skills: str) -> bool:
        return (await stage.presence("w1")).get("skills", "") == skills

    async with composed(stage, home, environ=ON, skills=SKILLS):
        await stage.put_raw("w1", call("sleep", 1))
        edited = SKILLS.replace("a + b", "a - b").replace('"shout"', '"whisper"').replace("upper", "lower")
        (home / "plugins" / "skills.py").write_text(edited)
        await until(lambda: has("add,whisper,hello,secret,fail,sleep"))
        (home / "plugins" / "other.py").write_text(SKILLS.replace('id="skills"', 'id="other"'))
        await stage.put_raw("w1", call("add", 2, params={"a": 5, "b": 2}), call("whisper", 3, params={"text": "HI"}))
        found = {one["execution_id"]: one["result"] or one["error"] for one in await results(stage, 3)}
        assert (found["e2"], found["e3"]) == ("3", "hi")
        assert "0.3 s" in found["e1"]

        async def taken() -> bool:
            told = json.loads(await stage.redis.call("GET", KEYS.worker_plugins("w1")))
            return any("is taken by plugin skills" in one["error"] for one in told)

        await until(taken)
        box = PluginsBox(stage.redis, KEYS)
        assert await box.replace(lambda wishes: switched(wishes, "skills", on=False))
        await until(lambda: has(""))
        await stage.put_raw("w1", call("add", 4, params={"a": 5}))
        assert (await results(stage, 4))[-1]["status"] == "declined"


def meaning(skill: str, text: str, *, user: int = 42) -> Envelope:
    """A message whose words mean a skill, says the nexus."""
    envelope = message(text, user=user)
    envelope.skill = skill
    return envelope


async def test_words_in_a_chat_execute_a_skill_for_those_who_may(stage: Stage, home: Path) -> None:
    async with composed(stage, home, environ={**ON, "CHAT_ADMINS": "qq:1"}, skills=SKILLS):
        await stage.put(
            "w1",
            meaning("hello", "hello bob 2"),
            meaning("hello", "hello bob many"),
            meaning("hello", "bye bob"),
            message("hello bob"),
            meaning("secret", "secret"),
            meaning("secret", "secret", user=1),
            meaning("unknown", "hello"),
        )
        await stage.until_settled("w1")
        assert sorted(await said(stage)) == ["42: bobbob", '{"a":1}']


async def test_what_is_switched_off_is_not_executed_whoever_asks(stage: Stage, home: Path) -> None:
    environ = {**ON, "SKILL_PERMISSIONS": "hello:off,add:off", "CHAT_ADMINS": "qq:1"}
    async with composed(stage, home, environ=environ, skills=SKILLS):
        await stage.put("w1", meaning("hello", "hello bob", user=1))
        await stage.put_raw("w1", call("add", params={"a": 1}))
        (result,) = await results(stage, 1)
        assert (result["status"], result["error"]) == ("failed", "this skill is switched off")
        await stage.until_settled("w1")
        assert await said(stage) == []


async def test_off_words_in_a_chat_execute_nothing(stage: Stage, home: Path) -> None:
    async with composed(stage, home, skills=SKILLS):
        await stage.put("w1", meaning("hello", "hello bob"))
        await stage.until_settled("w1")
        assert await said(stage) == []
