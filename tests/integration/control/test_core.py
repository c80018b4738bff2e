"""The judge's configuration over REST, and its way between PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from tests.integration.control.conftest import LogIn

from botmatrix.bus.client import Client
from botmatrix.bus.core import CoreBox
from botmatrix.bus.keys import Keys
from botmatrix.bus.plugins import PluginsBox
from botmatrix.control.core_keeper import CoreKeeper
from botmatrix.control.parts import Parts
from botmatrix.core.config import CoreConfig, changed, parse
from botmatrix.core.plugins import Cell, PluginWishes
from botmatrix.store.core import CoreDocuments
from botmatrix.store.tables import Role

KEYS = Keys()
CLOSE = {"system_control": {"open": False}}


async def published(parts: Parts) -> tuple[int, CoreConfig]:
    kept = await parts.core_box.read()
    assert kept is not None
    return kept.version, parse(kept.document)


async def test_before_the_first_change_everything_has_its_default(owner: httpx.AsyncClient) -> None:
    answer = (await owner.get("/api/admin/core")).json()
    assert answer == {"success": True, "version": 0, "published": True, "config": CoreConfig().model_dump()}


async def test_a_change_is_kept_and_published(owner: httpx.AsyncClient, parts: Parts) -> None:
    answer = (await owner.post("/api/admin/core", json=CLOSE)).json()
    assert (answer["version"], answer["published"], answer["config"]["system_control"]["open"]) == (1, True, False)
    version, config = await published(parts)
    assert (version, config.system_control.open) == (1, False)
    saved = await CoreDocuments(parts.database).read()
    assert saved is not None
    assert (saved.version, saved.updated_by, parse(saved.document)) == (1, "the-owner", config)


async def test_changes_add_up(owner: httpx.AsyncClient) -> None:
    await owner.post("/api/admin/core", json=CLOSE)
    await owner.post("/api/admin/core", json={"permissions": {"blacklist": {"group": ["1"]}}})
    config = (await owner.get("/api/admin/core")).json()["config"]
    assert (config["system_control"]["open"], config["permissions"]["blacklist"]["group"]) == (False, ["1"])


@pytest.mark.parametrize(
    ("patch", "place"),
    [
        ({"nonsense": 1}, "nonsense"),
        ({"system_control": {"open": "x"}}, "system_control.open"),
        ({**CLOSE, "sensitive_words": {"system": {"plain": ["fine"], "regex": ["(?=no)"]}}}, "regex.0"),
        ({"permissions": {"blacklist": {"system": ["with space"]}}}, "blacklist.system.0"),
    ],
)
async def test_what_is_wrong_is_refused_as_a_whole(owner: httpx.AsyncClient, patch: dict[str, Any], place: str) -> None:
    refused = await owner.post("/api/admin/core", json=patch)
    assert (refused.status_code, refused.json()["error"]) == (422, "invalid")
    assert place in refused.json()["message"]
    assert (await owner.get("/api/admin/core")).json()["version"] == 0


@pytest.mark.parametrize(
    ("role", "read", "write"), [(Role.VIEWER, 200, 403), (Role.OPERATOR, 200, 403), (Role.ADMIN, 200, 200)]
)
async def test_viewers_read_and_administrators_change(log_in: LogIn, role: Role, read: int, write: int) -> None:
    client = await log_in(role)
    assert (await client.get("/api/admin/core")).status_code == read
    assert (await client.get("/api/stats/chat")).status_code == read
    assert (await client.post("/api/admin/core", json=CLOSE)).status_code == write


async def test_nobody_reads_without_a_login(client: httpx.AsyncClient) -> None:
    for path in ("/api/admin/core", "/api/stats/chat"):
        assert (await client.get(path)).status_code == 401


async def test_a_change_made_in_a_chat_is_kept_too(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post("/api/admin/core", json=CLOSE)
    document = changed(CoreConfig(), {"permissions": {"whitelist": {"system": ["5"]}}}).to_json()
    assert await parts.core_box.write(document, expected=1, version=2)
    await parts.core.reconcile()
    saved = await CoreDocuments(parts.database).read()
    assert saved is not None
    assert (saved.version, saved.updated_by, saved.document) == (2, "chat", document.decode())


async def test_every_change_is_in_the_operation_log_with_what_was_before(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    await owner.post("/api/admin/core", json=CLOSE)
    document = changed(changed(CoreConfig(), CLOSE), {"permissions": {"whitelist": {"system": ["5"]}}})
    await parts.core_box.write(document.to_json(), expected=1, version=2)
    for _ in range(2):
        await parts.core.reconcile()
    rows = (await owner.get("/api/audit", params={"sort": "at"})).json()["audit"]
    assert [(one["who"], one["via"], one["what"], one["before"], one["after"]) for one in rows] == [
        *[("the-owner", "login", "core.change", {"system_control.open": True}, {"system_control.open": False})],
        ("chat", "chat", "core.change", {"permissions.whitelist.system": []}, {"permissions.whitelist.system": ["5"]}),
    ]


async def test_a_plugin_switched_off_in_a_chat_is_in_the_operation_log(owner: httpx.AsyncClient, parts: Parts) -> None:
    quiet, loud = Cell(plugin="echo", group="qq:5"), Cell(plugin="echo", group="qq:6")
    for version, cells in ((1, [quiet]), (2, [loud])):
        document = PluginWishes(matrix=cells).to_json()
        assert await PluginsBox(parts.redis, KEYS).write(document, expected=version - 1, version=version)
        await parts.plugins.reconcile()
    rows = (await owner.get("/api/audit", params={"sort": "at"})).json()["audit"]
    said = [(one["who"], one["what"], *(one[when]["cells"] for when in ("before", "after"))) for one in rows]
    assert said == [
        ("chat", "plugin.matrix", [], [quiet.model_dump()]),
        ("chat", "plugin.matrix", [quiet.model_dump()], [loud.model_dump()]),
    ]


async def test_a_change_by_rest_builds_on_one_made_in_a_chat(owner: httpx.AsyncClient, parts: Parts) -> None:
    document = changed(CoreConfig(), {"permissions": {"whitelist": {"system": ["5"]}}}).to_json()
    await parts.core_box.write(document, expected=0, version=7)
    answer = (await owner.post("/api/admin/core", json=CLOSE)).json()
    assert (answer["version"], answer["config"]["permissions"]["whitelist"]["system"]) == (8, ["5"])


async def test_an_empty_redis_gets_it_back(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post("/api/admin/core", json=CLOSE)
    await parts.redis.call("DEL", KEYS.core_config, KEYS.core_version)
    await parts.core.reconcile()
    version, config = await published(parts)
    assert (version, config.system_control.open) == (1, False)


async def test_while_redis_is_away_a_change_is_kept_and_said_to_be_unpublished(parts: Parts) -> None:
    box = CoreBox(Client("redis://127.0.0.1:1/0", name="away"), KEYS)
    away = CoreKeeper(box, CoreDocuments(parts.database), parts.operations)
    answer = await away.change(lambda config: changed(config, CLOSE), "somebody")
    assert (answer.version, answer.published) == (1, False)
    await parts.core.reconcile()
    assert (await published(parts))[0] == 1


async def test_an_unusable_document_in_redis_is_not_kept(owner: httpx.AsyncClient, parts: Parts) -> None:
    await parts.redis.call("MSET", KEYS.core_config, "{", KEYS.core_version, "5")
    await parts.core.reconcile()
    assert await CoreDocuments(parts.database).read() is None
    answer = (await owner.post("/api/admin/core", json=CLOSE)).json()
    assert (answer["version"], answer["published"]) == (6, True)


async def test_an_unusable_document_in_redis_gives_way_to_the_saved_one(owner: httpx.AsyncClient, parts: Parts) -> None:
    await owner.post("/api/admin/core", json=CLOSE)
    await parts.redis.call("MSET", KEYS.core_config, "{", KEYS.core_version, "5")
    await parts.core.reconcile()
    version, config = await published(parts)
    assert (version, config.system_control.open) == (6, False)


async def test_of_many_changes_at_once_none_is_lost(owner: httpx.AsyncClient, parts: Parts) -> None:
    def adds(name: str) -> Any:
        def edit(config: CoreConfig) -> CoreConfig:
            return changed(
                config, {"permissions": {"blacklist": {"system": [*config.permissions.blacklist.system, name]}}}
            )

        return edit

    await asyncio.gather(*(parts.core.change(adds(str(n)), "somebody") for n in range(4)))
    _, config = await published(parts)
    assert set(config.permissions.blacklist.system) == {"0", "1", "2", "3"}


async def test_the_statistics_of_today(owner: httpx.AsyncClient, parts: Parts) -> None:
    day = time.strftime("%Y%m%d", time.gmtime())
    blocked = {"t": 1, "bot": "qq:1", "user": "8", "group": "", "reason": "system_closed", "text": "hi"}
    figures = {"user": {"qq:7": 2, "qq:8": 5}, "reason": {"system_closed": 1}}
    await parts.core_box.add(day, figures, [json.dumps(blocked).encode()])
    answer = (await owner.get("/api/stats/chat", params={"top": 1})).json()
    assert answer["users"] == [{"name": "qq:8", "messages": 5}]
    assert (answer["blocked"], answer["groups"]) == ([blocked], [])


async def test_what_was_blocked_is_read_by_operators_and_what_is_no_message_by_nobody(
    log_in: LogIn, parts: Parts
) -> None:
    blocked = {"t": 1, "bot": "qq:1", "user": "8", "group": "", "reason": "system_closed", "text": "hi"}
    await parts.core_box.add("20260131", {}, [b"\xff", b"[]", json.dumps(blocked).encode()])
    for role, text in ((Role.VIEWER, ""), (Role.OPERATOR, "hi")):
        answer = (await (await log_in(role)).get("/api/stats/chat")).json()
        assert answer["blocked"] == [{**blocked, "text": text}]


async def test_an_address_of_two_routes_names_both_methods(owner: httpx.AsyncClient) -> None:
    refused = await owner.delete("/api/admin/core")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
