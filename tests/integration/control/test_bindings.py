"""Codes, claims and bindings on real engines, and who commands the hub by them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.conftest import ValkeyProcess
from tests.integration.control.conftest import ControlOptions, LogIn

from botmatrix.bus.binding import BindBox
from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.settings import SettingsBox
from botmatrix.config import parse_stored
from botmatrix.control.binding_keeper import BindingKeeper
from botmatrix.control.parts import Parts, build
from botmatrix.store.tables import Role

KEYS = Keys()
ME = "qq:7"
BINDINGS = "/api/user/bindings"


async def bound(parts: Parts) -> tuple[str, ...]:
    """Whom every nexus takes for a chat administrator, beside those of the settings."""
    found = await SettingsBox(parts.redis, KEYS).read()
    return parse_stored(found.document).bound if found else ()


async def bind(client: httpx.AsyncClient, parts: Parts, who: str = ME) -> None:
    """Have a code made, say it, and have control do its work."""
    code = (await client.post("/api/user/bind")).json()["code"]
    assert (await BindBox(parts.redis, KEYS).say(code, who)).bound
    await parts.binding_keeper.take()
    await parts.settings_keeper.reconcile()


@pytest.fixture
async def kept(parts: Parts) -> AsyncIterator[None]:
    """The keepers run, as they do in a control process."""
    tasks = [asyncio.create_task(keeper.run()) for keeper in (parts.settings_keeper, parts.binding_keeper)]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until_bound(parts: Parts, *wanted: str) -> float:
    """Wait until exactly these are bound for every nexus; how long it took."""
    started = time.monotonic()
    async with asyncio.timeout(10):
        while await bound(parts) != wanted:
            await asyncio.sleep(0.005)
    return time.monotonic() - started


async def test_a_code_is_shown_once_and_redis_holds_its_digest_only(owner: httpx.AsyncClient, parts: Parts) -> None:
    answer = (await owner.post("/api/user/bind")).json()
    code = answer["code"]
    assert (answer["say"], answer["tries"]) == (f"/bind {code}", 5)
    left = datetime.fromisoformat(answer["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert 540_000 < await parts.redis.call("PTTL", KEYS.bind_codes) <= 600_000
    for shown in (repr(await parts.redis.call("HGETALL", KEYS.bind_codes)), (await owner.get("/api/audit")).text):
        assert code not in shown
        assert code.replace("-", "") not in shown


async def test_who_said_the_code_is_bound_published_and_in_the_operation_log(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    await bind(owner, parts)
    assert await bound(parts) == (ME,)
    assert parts.settings.commanders == (ME,)
    (found,) = (await owner.get(BINDINGS)).json()["bindings"]
    assert (found["identity"], found["username"], found["counts"]) == (ME, "the-owner", True)
    rows = (await owner.get("/api/audit")).json()["audit"][:2]
    assert [(row["what"], row["who"], row["via"], row["object"]) for row in rows] == [
        ("user.bind", "the-owner", "chat", ME),
        ("user.code", "the-owner", "login", "the-owner"),
    ]
    assert await BindBox(parts.redis, KEYS).claims() == {}


async def test_unbinding_takes_the_right_away(owner: httpx.AsyncClient, parts: Parts, kept: None) -> None:
    await bind(owner, parts)
    answer = await owner.delete(BINDINGS, params={"identity": ME})
    assert (answer.status_code, answer.json()["binding"]["identity"]) == (200, ME)
    assert await until_bound(parts) < 1.0
    assert (await owner.delete(BINDINGS, params={"identity": ME})).json()["error"] == "unknown_binding"
    assert (await owner.get("/api/audit")).json()["audit"][0]["what"] == "user.unbind"


@pytest.mark.parametrize(
    "change",
    [
        {"action": "toggle_active", "active": False},
        {"action": "edit", "role": "operator"},
        {"action": "delete"},
    ],
    ids=lambda change: change["action"],
)
async def test_who_is_disabled_demoted_or_deleted_commands_nothing_within_a_second(
    owner: httpx.AsyncClient, log_in: LogIn, parts: Parts, kept: None, change: dict[str, object]
) -> None:
    await bind(await log_in(Role.ADMIN), parts)
    await until_bound(parts, ME)
    assert (await owner.post("/api/admin/users", json={**change, "username": "the-admin"})).status_code == 200
    assert await until_bound(parts) < 1.0


async def test_a_change_that_no_request_made_acts_within_a_second_too(
    owner: httpx.AsyncClient, log_in: LogIn, parts: Parts, kept: None
) -> None:
    await bind(await log_in(Role.ADMIN), parts)
    await until_bound(parts, ME)
    await parts.users.disable("the-admin")
    assert await until_bound(parts) < 1.0
    await parts.users.enable("the-admin")
    assert await until_bound(parts, ME) < 1.0


async def test_a_viewer_is_bound_but_commands_only_as_an_administrator(
    log_in: LogIn, parts: Parts, owner: httpx.AsyncClient
) -> None:
    viewer = await log_in(Role.VIEWER)
    await bind(viewer, parts)
    assert await bound(parts) == ()
    assert [one["counts"] for one in (await viewer.get(BINDINGS)).json()["bindings"]] == [False]
    await parts.users.edit("the-viewer", role=Role.ADMIN)
    await parts.settings_keeper.reconcile()
    assert await bound(parts) == (ME,)


async def test_the_claim_of_a_user_who_is_gone_or_disabled_binds_nobody(
    owner: httpx.AsyncClient, log_in: LogIn, parts: Parts
) -> None:
    gone, barred = await log_in(Role.ADMIN), await log_in(Role.OPERATOR)
    codes = [(await client.post("/api/user/bind")).json()["code"] for client in (gone, barred)]
    await parts.users.delete("the-admin")
    await parts.users.disable("the-operator")
    box = BindBox(parts.redis, KEYS)
    for number, code in enumerate(codes):
        assert (await box.say(code, f"qq:{number}")).bound
    await parts.binding_keeper.take()
    assert (await box.claims(), list(await parts.bindings.list())) == ({}, [])


async def test_what_is_anothers_is_for_administrators(owner: httpx.AsyncClient, log_in: LogIn, parts: Parts) -> None:
    admin, viewer = await log_in(Role.ADMIN), await log_in(Role.VIEWER)
    await bind(owner, parts, "qq:1")
    await bind(viewer, parts, "qq:2")
    assert (await viewer.get(BINDINGS, params={"all": True})).status_code == 403
    assert (await admin.get(BINDINGS, params={"all": True})).json()["total"] == 2
    assert (await viewer.delete(BINDINGS, params={"identity": "qq:1"})).json()["error"] == "unknown_binding"
    assert (await admin.delete(BINDINGS, params={"identity": "qq:1"})).json()["error"] == "above_you"
    assert (await admin.delete(BINDINGS, params={"identity": "qq:2"})).status_code == 200


async def test_somebody_who_is_bound_again_is_the_later_user(
    owner: httpx.AsyncClient, log_in: LogIn, parts: Parts
) -> None:
    await bind(owner, parts)
    await bind(await log_in(Role.ADMIN), parts)
    assert [one.user.username for one in await parts.bindings.list()] == ["the-admin"]


async def test_two_controls_bind_once_and_write_it_down_once(
    owner: httpx.AsyncClient, parts: Parts, options: ControlOptions
) -> None:
    other = build(options.current())
    code = (await owner.post("/api/user/bind")).json()["code"]
    await BindBox(parts.redis, KEYS).say(code, ME)
    await asyncio.gather(parts.binding_keeper.take(), other.binding_keeper.take())
    rows = (await owner.get("/api/audit", params={"q": "user.bind"})).json()
    assert rows["total"] == 1
    await other.close()


async def test_while_redis_is_away_no_code_is_made(
    owner: httpx.AsyncClient, parts: Parts, own_valkey: ValkeyProcess
) -> None:
    client = Client(own_valkey.url, name="away", timeout=1.0)
    parts.binding_keeper = BindingKeeper(BindBox(client, KEYS), parts.bindings, parts.settings_keeper)
    own_valkey.stop(kill=True)
    assert (await owner.post("/api/user/bind")).status_code == 503
    await asyncio.to_thread(own_valkey.start)
    assert (await owner.post("/api/user/bind")).status_code == 200
    await client.close()


async def test_a_claim_that_is_junk_is_passed_over(owner: httpx.AsyncClient, parts: Parts) -> None:
    for who, user in (("qq:1", "x"), ("qq:2", "-1"), ("qq:3", str(2**70)), ("\x00:4", "1")):
        await parts.redis.call("HSET", KEYS.bind_claims, who, user)
    await bind(owner, parts)
    assert [one.row.identity for one in await parts.bindings.list()] == [ME]
    assert await BindBox(parts.redis, KEYS).claims() == {}
