"""OneBot applications by REST: set, shown with the state of their lines, dropped; tokens go in and never come out."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.integration.control.conftest import LogIn

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.settings import SettingsBox
from botmatrix.config import parse_stored
from botmatrix.control.parts import Parts
from botmatrix.store.tables import Role

APPS = "/api/apps"
KEYS = Keys()
SECRET = "t0ken-of-the-app"
NONEBOT = {"name": "nonebot", "url": "ws://127.0.0.1:8080/onebot/v11/ws", "token": SECRET, "bots": ["qq:1"]}


async def apps(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get(APPS)
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    return {app["name"]: app for app in answer.json()["apps"]}


async def published(parts: Parts) -> list[dict[str, Any]]:
    found = await SettingsBox(parts.redis, KEYS).read()
    assert found is not None
    listed: list[dict[str, Any]] = parse_stored(found.document).values["onebot_apps"]
    return listed


async def tell(parts: Parts, *told: dict[str, Any], lines: dict[str, dict[str, Any]] | None = None) -> None:
    """What a nexus tells of its socket workers and lines."""
    await parts.redis.call("SADD", KEYS.nexuses, "n1.a")
    await parts.redis.call("SET", KEYS.sockets("n1.a"), json.dumps(told))
    for name, line in (lines or {}).items():
        await parts.redis.call("HSET", KEYS.lines("n1.a"), name, json.dumps(line))


async def test_an_application_is_set_published_and_shown_without_its_token(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    answer = await owner.post(APPS, json=NONEBOT | {"deliver": "all", "format": "array"})
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    assert answer.json()["published"] is True
    shown = (await apps(owner))["nonebot"]
    assert (shown["dialled"], shown["token_set"], shown["deliver"], shown["format"]) == (True, True, "all", "array")
    assert await published(parts) == [NONEBOT | {"deliver": "all", "format": "array"}]
    assert SECRET not in (await owner.get("/api/audit")).text


async def test_a_change_without_a_token_keeps_it_and_an_empty_one_takes_it_away(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    await owner.post(APPS, json=NONEBOT)
    await owner.post(APPS, json={"name": "other", "url": "ws://127.0.0.1:1/"})
    without = {key: value for key, value in NONEBOT.items() if key != "token"}
    await owner.post(APPS, json=without | {"url": "ws://127.0.0.1:9/"})
    kept = {one["name"]: one for one in await published(parts)}
    assert (kept["nonebot"]["token"], kept["nonebot"]["url"]) == (SECRET, "ws://127.0.0.1:9/")
    await owner.post(APPS, json=NONEBOT | {"token": ""})
    assert (await apps(owner))["nonebot"]["token_set"] is False
    assert set(await apps(owner)) == {"nonebot", "other"}


async def test_one_that_is_dropped_is_gone_and_an_unknown_one_is_404(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post(APPS, json=NONEBOT)
    assert (await owner.delete(APPS, params={"name": "nonebot"})).status_code == 200
    assert await published(parts) == []
    gone = await owner.delete(APPS, params={"name": "nonebot"})
    assert (gone.status_code, gone.json()["error"]) == (404, "unknown_app")


@pytest.mark.parametrize(
    "wrong", [{"url": "http://127.0.0.1/"}, {"name": "with blanks"}, {"deliver": "some"}, {"bots": ["nobody"]}]
)
async def test_what_is_wrong_changes_nothing(owner: httpx.AsyncClient, parts: Parts, wrong: dict[str, Any]) -> None:
    answer = await owner.post(APPS, json=NONEBOT | wrong)
    assert answer.status_code == 422, answer.text
    assert SECRET not in answer.text
    assert not await apps(owner)


async def test_lines_and_applications_that_dialled_in_are_shown(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post(APPS, json=NONEBOT)
    line = {"state": "waiting", "since": 5.0, "error": "connection refused: nothing listens there", "attempts": 3}
    told = {"id": "app-2", "pool": "app-2", "kind": "onebot", "bots": ["qq:2"]}
    old = {"id": "w", "pool": "default", "kind": "ws", "bots": []}
    await tell(parts, told, old, lines={"nonebot for qq:1": line, "bot at 127.0.0.1:6700": {"state": "open"}})
    await parts.redis.call("HSET", KEYS.presence("app-2"), "transport", "onebot", "handled", "7")
    found = await apps(owner)
    assert found["nonebot"]["lines"] == [{"bot": "qq:1", "nexus": "n1.a", **line}]
    assert found["nonebot"]["attached"] == []
    assert (found["app-2"]["dialled"], found["app-2"]["attached"], found["app-2"]["handled"]) == (False, ["qq:2"], 7)
    assert set(found) == {"nonebot", "app-2"}


async def test_only_owners_change_whom_the_nexus_dials(log_in: LogIn) -> None:
    administrator = await log_in(Role.ADMIN)
    assert (await administrator.post(APPS, json=NONEBOT)).status_code == 403
    assert (await administrator.delete(APPS, params={"name": "x"})).status_code == 403
    assert await apps(administrator) == {}


async def test_while_redis_is_away_the_settings_are_still_shown(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post(APPS, json=NONEBOT)
    parts.apps._redis = Client("redis://127.0.0.1:1/0", name="nowhere", timeout=0.2)
    assert (await apps(owner))["nonebot"]["lines"] == []


async def test_the_implicit_rule_and_its_copies_are_explained(owner: httpx.AsyncClient, parts: Parts) -> None:
    one = {"id": "nonebot", "pool": "nonebot", "kind": "onebot", "bots": ["qq:1"]}
    await tell(parts, one, {**one, "id": "astrbot", "pool": "astrbot", "copied": True})
    question = {"event": {"self_id": 1, "user_id": 7, "message": "x"}}
    answer = (await owner.post("/api/admin/routing/explain", json=question)).json()
    assert [(way["target"], way["chosen"]) for way in answer["ways"]] == [
        ("nonebot", "nonebot"),
        ("astrbot", "astrbot"),
    ]
    assert answer["why"].endswith("a copy goes to astrbot")
