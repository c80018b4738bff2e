"""Settings by REST: kept in PostgreSQL, carried by Redis, masked for people."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import ValkeyProcess
from tests.integration.control.conftest import ControlOptions, LogIn

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.settings import SettingsBox
from botmatrix.config import Current, Home, load, parse_stored
from botmatrix.control.parts import Parts, build
from botmatrix.store.glance import glance
from botmatrix.store.settings import SettingsTable
from botmatrix.store.tables import Role

CONFIG = "/api/admin/config"


async def config(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get(CONFIG)
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[str, Any]] = answer.json()["config"]
    return found


async def published(parts: Parts) -> dict[str, Any]:
    found = await SettingsBox(parts.redis, Keys()).read()
    assert found is not None
    return dict(parse_stored(found.document).values)


async def test_a_change_is_kept_published_and_copied(owner: httpx.AsyncClient, parts: Parts) -> None:
    answer = await owner.post(CONFIG, json={"chat_admins": ["QQ:5"], "ENABLE_SKILL": "1"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["published"], answer.json()["needs_restart"]) == (True, ["enable_skill"])
    found = answer.json()["config"]
    assert (found["chat_admins"]["value"], found["chat_admins"]["source"]) == (["qq:5"], "database")
    skill = found["enable_skill"]
    assert (skill["value"], skill["pending"], skill["needs_restart"], skill["hot"]) == (False, True, True, False)
    assert await published(parts) == {"chat_admins": ["QQ:5"], "enable_skill": "1"}
    stored = await glance(parts.settings.database_url)
    assert stored is not None
    assert stored.values == {"chat_admins": ["QQ:5"], "enable_skill": "1"}
    assert parse_stored(parts.settings.home.settings.read_text()).values == stored.values


async def test_null_gives_a_key_back(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post(CONFIG, json={"log_level": "debug", "worker_pool": "a"})
    answer = await owner.post(CONFIG, json={"log_level": None})
    assert (answer.json()["config"]["log_level"]["source"], await published(parts)) == ("default", {"worker_pool": "a"})


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"enable_skill": "perhaps", "log_level": "debug"}, 422, ("enable_skill", "perhaps", "true, 1, false or 0")),
        ({"enable_skil": True}, 422, ("enable_skil", "enable_skill")),
        ({"ws_port": 4001}, 422, ("ws_port", "config.json")),
        ({"redis_url": "redis://:hidden@h/0"}, 422, ("redis_url",)),
        ({}, 422, ("at least one",)),
        ({"LOG_LEVEL": "debug", "log_level": "info"}, 422, ("twice",)),
        ({"chat_admins": ["qq:1"] * 20_000}, 422, ("chat_admins", "KiB")),
        ({"bot_token": "with blanks"}, 422, ("bot_token", "***")),
        ({"\ud800": 1}, 422, ("known setting",)),
    ],
)
async def test_a_wrong_change_changes_nothing(
    owner: httpx.AsyncClient, parts: Parts, change: dict[str, Any], status: int, words: tuple[str, ...]
) -> None:
    answer = await owner.post(CONFIG, content=json.dumps(change), headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert all(word in answer.json()["message"] for word in words), answer.text
    assert "hidden" not in answer.text
    assert "with blanks" not in answer.text
    assert (await SettingsTable(parts.database).read()).values == {}


async def test_secrets_go_in_and_never_come_out(owner: httpx.AsyncClient, parts: Parts, home: Path) -> None:
    secrets = ("n3w-bot-token", "n3w-app-token")
    app = {"name": "nb", "url": "ws://127.0.0.1:8080/ws", "token": secrets[1], "bots": ["qq:1"]}
    changed = await owner.post(CONFIG, json={"bot_token": secrets[0], "onebot_apps": [app]})
    assert changed.status_code == 200
    assert (await owner.get("/api/connect-info")).json()["token"] == secrets[0], "in force at once"
    shown = await owner.get(CONFIG)
    audit = await owner.get("/api/audit")
    assert audit.json()["audit"][0]["what"] == "config.set"
    for text in (changed.text, shown.text, audit.text):
        assert not any(secret in text for secret in secrets)
    token = shown.json()["config"]["bot_token"]
    assert (token["value"], token["set"], token["for_owners"]) == (None, True, True)
    assert Home(home).settings.stat().st_mode & 0o777 == 0o600


async def test_before_and_after_are_in_the_operation_log(owner: httpx.AsyncClient) -> None:
    await owner.post(CONFIG, json={"worker_pool": "a"})
    await owner.post(CONFIG, json={"worker_pool": "b"})
    row = (await owner.get("/api/audit")).json()["audit"][0]
    assert (row["object"], row["before"], row["after"]) == ("worker_pool", {"worker_pool": "a"}, {"worker_pool": "b"})


async def test_tokens_are_for_owners(log_in: LogIn) -> None:
    admin = await log_in(Role.ADMIN)
    refused = await admin.post(CONFIG, json={"bot_token": "another-token"})
    assert (refused.status_code, refused.json()["error"]) == (403, "needs_owner")
    assert (await admin.post(CONFIG, json={"log_level": "debug"})).status_code == 200


async def test_what_the_environment_sets_is_locked(owner: httpx.AsyncClient, parts: Parts) -> None:

    parts.current = Current(load(parts.settings.home.root, {}, {"LOG_LEVEL": "error"}))
    seen = (await config(owner))["log_level"]
    assert (seen["value"], seen["source"], seen["locked_by"]) == ("error", "environment", "LOG_LEVEL")
    refused = await owner.post(CONFIG, json={"log_level": "debug"})
    assert (refused.status_code, refused.json()["error"]) == (409, "locked")


async def test_another_control_takes_a_change_over(
    owner: httpx.AsyncClient, parts: Parts, options: ControlOptions
) -> None:
    other = build(options.current())
    await owner.post(CONFIG, json={"bot_token": "a-new-token"})
    await other.settings_keeper.reconcile()
    assert other.settings.bot_token == "a-new-token"
    await other.close()


async def test_redis_that_was_emptied_or_changed_is_put_right(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post(CONFIG, json={"worker_pool": "a"})
    for spoil in (
        ("FLUSHALL",),
        ("SET", Keys().settings_version, "junk"),
        ("MSET", Keys().settings, "x", Keys().settings_version, "y"),
    ):
        await parts.redis.call(*spoil)
        await parts.settings_keeper.reconcile()
        assert await published(parts) == {"worker_pool": "a"}


async def test_a_change_while_redis_is_away_is_kept_and_published_later(
    owner: httpx.AsyncClient, parts: Parts, own_valkey: ValkeyProcess
) -> None:
    client = Client(own_valkey.url, name="away")
    parts.settings_keeper._box = SettingsBox(client, Keys())
    own_valkey.stop(kill=True)
    answer = await owner.post(CONFIG, json={"bot_token": "a-new-token"})
    assert (answer.status_code, answer.json()["published"]) == (200, False)
    assert parts.settings.bot_token == "a-new-token"
    await asyncio.to_thread(own_valkey.start)
    assert await parts.settings_keeper.reconcile()
    assert await SettingsBox(client, Keys()).read() is not None
    await client.close()


async def test_the_first_node_shares_its_tokens(parts: Parts, tmp_path: Path) -> None:
    first, second = Home(tmp_path / "first"), Home(tmp_path / "second")
    await asyncio.gather(*(parts.settings_keeper.seed(home) for home in (first, second, first)))
    generated = (await SettingsTable(parts.database).read()).generated
    assert generated["bot_token"] in (first.secret_values()["bot_token"], second.secret_values()["bot_token"])
    assert set(generated) == {"bot_token", "worker_token"}
