"""API keys and logins: one's own, nobody else's, void at once."""

from __future__ import annotations

import asyncio

import asyncpg
import httpx
import pytest
from tests.integration.control.conftest import PASSWORD, LogIn, Visit

from botmatrix.control.parts import Parts
from botmatrix.store.api_keys import MOST
from botmatrix.store.tables import Role


async def program(visit: Visit, owner: httpx.AsyncClient, scope: str = "viewer") -> tuple[httpx.AsyncClient, int]:
    made = (await owner.post("/api/keys", json={"name": f"a {scope}", "scope": scope})).json()
    client = visit()
    client.headers["Authorization"] = f"Bearer {made['token']}"
    return client, made["key"]["id"]


async def test_a_key_opens_what_its_scope_allows_and_says_when_it_was_used(
    owner: httpx.AsyncClient, visit: Visit
) -> None:
    client, _ = await program(visit, owner)
    me = (await client.get("/api/me")).json()
    assert (me["user"]["username"], me["user"]["role"], me["may"]) == ("the-owner", "owner", "viewer")
    assert (await client.get("/api/bots")).status_code == 200
    assert (await client.get("/api/queues/dead")).status_code == 403
    key = (await owner.get("/api/keys")).json()["keys"][0]
    assert (key["name"], key["scope"], key["may"], key["last_address"]) == ("a viewer", "viewer", "viewer", "127.0.0.1")
    assert key["last_used_at"] >= key["created_at"]


async def test_a_key_does_no_more_than_its_owner_may_now(owner: httpx.AsyncClient, log_in: LogIn, visit: Visit) -> None:
    client, _ = await program(visit, await log_in(Role.ADMIN), "admin")
    assert (await client.get("/api/audit")).status_code == 200
    body = {"action": "edit", "username": "the-admin", "role": "viewer"}
    assert (await owner.post("/api/admin/users", json=body)).status_code == 200
    assert (await client.get("/api/audit")).status_code == 403
    assert (await client.get("/api/bots")).status_code == 200
    await owner.post("/api/admin/users", json={"action": "delete", "username": "the-admin"})
    assert (await client.get("/api/bots")).status_code == 401


async def test_nobody_makes_a_key_above_oneself_and_none_is_an_owner(owner: httpx.AsyncClient, log_in: LogIn) -> None:
    operator = await log_in(Role.OPERATOR)
    assert (await operator.post("/api/keys", json={"name": "x", "scope": "admin"})).json()["error"] == "above_you"
    assert (await owner.post("/api/keys", json={"name": "x", "scope": "owner"})).status_code == 422
    assert (await owner.post("/api/keys", json={"name": "x", "scope": "admin", "user_id": 1})).status_code == 422
    assert (await operator.post("/api/keys", json={"name": "x", "scope": "operator"})).status_code == 200


async def test_a_deleted_and_an_expired_key_are_void_at_once(
    owner: httpx.AsyncClient, visit: Visit, database_url: str
) -> None:
    deleted, key_id = await program(visit, owner)
    assert (await deleted.get("/api/bots")).status_code == 200
    assert (await owner.delete("/api/keys", params={"id": key_id})).json()["key"]["id"] == key_id
    assert (await deleted.get("/api/bots")).status_code == 401
    assert (await owner.delete("/api/keys", params={"id": key_id})).json()["error"] == "unknown_key"
    made = (await owner.post("/api/keys", json={"name": "x", "scope": "viewer", "expires_in_days": 1})).json()
    client = visit()
    client.headers["Authorization"] = f"Bearer {made['token']}"
    assert (await client.get("/api/bots")).status_code == 200
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE api_keys SET expires_at = now()")
    await connection.close()
    assert (await client.get("/api/bots")).status_code == 401


async def test_the_key_itself_is_not_in_the_database(owner: httpx.AsyncClient, database_url: str) -> None:
    token = (await owner.post("/api/keys", json={"name": "x", "scope": "viewer"})).json()["token"]
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetchval("SELECT string_agg(api_keys::text, '') FROM api_keys")
    log = await connection.fetchval("SELECT string_agg(audit::text, '') FROM audit")
    await connection.close()
    for text in (rows, log):
        assert token not in text
        assert token.encode().hex() not in text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/keys", {"name": "x", "scope": "viewer"}),
        ("DELETE", "/api/sessions", None),
        ("POST", "/api/logout", None),
        ("POST", "/api/user/password", {"old_password": PASSWORD, "new_password": "another good one"}),
    ],
)
async def test_a_stolen_key_makes_itself_no_successor(
    owner: httpx.AsyncClient, visit: Visit, method: str, path: str, body: dict[str, str] | None
) -> None:
    client, _ = await program(visit, owner, "admin")
    refused = await client.request(method, path, json=body)
    assert (refused.status_code, refused.json()["error"]) == (403, "needs_login")
    assert (await owner.get("/api/me")).status_code == 200


@pytest.mark.parametrize("sort", ["name", "scope", "created_at", "expires_at", "last_used_at"])
async def test_keys_are_sorted_by_what_some_of_them_do_not_have(
    owner: httpx.AsyncClient, visit: Visit, sort: str
) -> None:
    client, _ = await program(visit, owner)
    await client.get("/api/me")
    await owner.post("/api/keys", json={"name": "b", "scope": "operator", "expires_in_days": 1})
    up = (await owner.get("/api/keys", params={"sort": sort})).json()["keys"]
    down = (await owner.get("/api/keys", params={"sort": f"-{sort}"})).json()["keys"]
    assert len(up) == 2
    assert up == down[::-1]


async def test_a_key_is_no_cookie(owner: httpx.AsyncClient, visit: Visit) -> None:
    token = (await owner.post("/api/keys", json={"name": "x", "scope": "viewer"})).json()["token"]
    browser = visit()
    browser.cookies.set("botmatrix_session", token)
    assert (await browser.get("/api/bots")).status_code == 401


async def test_one_has_so_many_keys_and_no_more(owner: httpx.AsyncClient) -> None:
    async def make() -> int:
        return (await owner.post("/api/keys", json={"name": "x", "scope": "viewer"})).status_code

    statuses = [await make() for _ in range(MOST - 1)]
    statuses += await asyncio.gather(*(make() for _ in range(4)))
    assert sorted(statuses) == [200] * MOST + [409] * 3


async def test_ones_logins_are_listed_and_ended(owner: httpx.AsyncClient, visit: Visit, parts: Parts) -> None:
    other = visit()
    body = {"username": "the-owner", "password": PASSWORD}
    await other.post("/api/login", json=body, headers={"User-Agent": "a phone"})
    sessions = (await owner.get("/api/sessions")).json()["sessions"]
    assert [(one["user_agent"], one["current"]) for one in sessions] == [("a phone", False), ("tests", True)]
    assert (await owner.delete("/api/sessions", params={"id": sessions[0]["id"]})).json()["ended"] == 1
    assert (await other.get("/api/me")).status_code == 401
    await other.post("/api/login", json=body)
    assert (await owner.delete("/api/sessions")).json()["ended"] == 1
    assert (await other.get("/api/me")).status_code == 401
    assert (await owner.get("/api/me")).status_code == 200


async def test_what_is_anothers_is_as_good_as_not_there(
    owner: httpx.AsyncClient, log_in: LogIn, parts: Parts, visit: Visit
) -> None:
    operator = await log_in(Role.OPERATOR)
    client, key_id = await program(visit, owner)
    [session] = (await owner.get("/api/sessions")).json()["sessions"]
    for path, one in (("/api/sessions", session["id"]), ("/api/keys", key_id)):
        others = await operator.delete(path, params={"id": one})
        unknown = await operator.delete(path, params={"id": 2**62})
        assert others.status_code == unknown.status_code == 404
        assert others.json() == unknown.json()
        listed = (await operator.get(path)).json()
        assert listed["total"] == (1 if path == "/api/sessions" else 0)
        assert (await operator.get(path, params={"all": "true"})).status_code == 403
    assert (await owner.get("/api/me")).status_code == 200
    assert (await client.get("/api/me")).status_code == 200
    await operator.delete("/api/sessions")
    assert (await owner.get("/api/me")).status_code == 200


async def test_an_administrator_sees_all_and_ends_what_is_not_above(
    owner: httpx.AsyncClient, log_in: LogIn, visit: Visit
) -> None:
    admin, viewer = await log_in(Role.ADMIN), await log_in(Role.VIEWER)
    await program(visit, owner)
    _, viewers_key = await program(visit, viewer)
    sessions = (await admin.get("/api/sessions", params={"all": "true"})).json()["sessions"]
    keys = (await admin.get("/api/keys", params={"all": "true"})).json()["keys"]
    of = {one["username"]: one["id"] for one in sessions}
    assert set(of) == {"the-owner", "the-admin", "the-viewer"}
    assert {one["username"] for one in keys} == {"the-owner", "the-viewer"}
    assert (await admin.delete("/api/sessions", params={"id": of["the-owner"]})).json()["error"] == "above_you"
    assert (await admin.delete("/api/sessions", params={"id": of["the-viewer"]})).status_code == 200
    assert (await viewer.get("/api/me")).status_code == 401
    assert (await admin.delete("/api/keys", params={"id": viewers_key})).status_code == 200
