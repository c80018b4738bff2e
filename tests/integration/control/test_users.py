"""Managing users over REST: who may do what to whom, and that nobody gets out of it more than they had."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.integration.control.conftest import PASSWORD, LogIn, Visit

from botmatrix.control.parts import Parts
from botmatrix.store.tables import Role

USERS = "/api/admin/users"


async def change(client: httpx.AsyncClient, action: str, username: str, **more: Any) -> httpx.Response:
    return await client.post(USERS, json={"action": action, "username": username, **more})


async def create(client: httpx.AsyncClient, username: str, **more: Any) -> httpx.Response:
    return await change(client, "create", username, password=PASSWORD, **more)


async def test_a_user_is_made_edited_barred_and_removed(owner: httpx.AsyncClient, visit: Visit, parts: Parts) -> None:
    made = (await create(owner, "Anna", role="operator")).json()
    assert set(made["user"]) == {"id", "username", "role", "disabled", "created_at", "last_login_at"}
    entered = await visit().post("/api/login", json={"username": "anna", "password": PASSWORD})
    anna = visit()
    anna.headers["Authorization"] = f"Bearer {entered.json()['token']}"
    assert (await anna.get("/api/queues/dead")).status_code == 200
    assert (await change(owner, "edit", "anna", role="viewer")).json()["user"]["role"] == "viewer"
    assert (await anna.get("/api/queues/dead")).status_code == 403, "it counts at once"
    assert (await change(owner, "toggle_active", "anna")).json()["user"]["disabled"] is True
    assert (await anna.get("/api/me")).status_code == 401
    assert (await change(owner, "toggle_active", "anna")).json()["user"]["disabled"] is False
    assert (await anna.get("/api/me")).status_code == 401, "what was ended stays so"
    assert (await change(owner, "toggle_active", "anna", active=True)).json()["user"]["disabled"] is False
    assert (await change(owner, "delete", "anna")).status_code == 200
    assert await parts.users.find("anna") is None
    assert (await change(owner, "delete", "anna")).json()["error"] == "unknown_user"


async def test_a_reset_password_ends_logins_and_works(owner: httpx.AsyncClient, log_in: LogIn, visit: Visit) -> None:
    viewer = await log_in(Role.VIEWER)
    assert (await change(owner, "reset_password", "the-viewer", password="another good one")).status_code == 200
    assert (await viewer.get("/api/me")).status_code == 401
    body = {"username": "the-viewer", "password": "another good one"}
    assert (await visit().post("/api/login", json=body)).status_code == 200


async def test_nobody_reaches_above_oneself(owner: httpx.AsyncClient, log_in: LogIn, parts: Parts) -> None:
    admin = await log_in(Role.ADMIN)
    attempts = [
        await create(admin, "mallory", role="owner"),
        await change(admin, "edit", "the-admin", role="owner"),
        await change(admin, "edit", "the-owner", role="viewer"),
        await change(admin, "reset_password", "the-owner", password=PASSWORD),
        await change(admin, "toggle_active", "the-owner"),
        await change(admin, "delete", "the-owner"),
    ]
    assert [one.status_code for one in attempts] == [403] * len(attempts)
    assert {one.json()["error"] for one in attempts} == {"above_you"}
    assert await parts.users.find("mallory") is None
    assert (await owner.get("/api/me")).json()["user"]["role"] == "owner"
    assert (await parts.operations.list())[1] == 0
    assert (await create(admin, "colleague", role="admin")).status_code == 200


async def test_a_key_reaches_no_higher_than_its_scope(owner: httpx.AsyncClient, visit: Visit) -> None:
    made = (await owner.post("/api/keys", json={"name": "ci", "scope": "admin"})).json()
    program = visit()
    program.headers["Authorization"] = f"Bearer {made['token']}"
    assert (await create(program, "anna", role="owner")).json()["error"] == "above_you"
    assert (await change(program, "reset_password", "the-owner", password=PASSWORD)).json()["error"] == "above_you"
    assert (await create(program, "anna", role="admin")).status_code == 200


@pytest.mark.parametrize(
    ("action", "more"),
    [("delete", {}), ("toggle_active", {}), ("edit", {"role": "admin"}), ("edit", {"role": "viewer"})],
)
async def test_the_last_owner_stays(owner: httpx.AsyncClient, action: str, more: dict[str, Any]) -> None:
    await create(owner, "anna", role="admin")
    refused = await change(owner, action, "the-owner", **more)
    assert (refused.status_code, refused.json()["error"]) == (409, "last_administrator")
    await create(owner, "second", role="owner")
    assert (await change(owner, action, "the-owner", **more)).status_code == 200


async def test_of_two_owners_who_remove_each_other_one_stays(owner: httpx.AsyncClient) -> None:
    await create(owner, "second", role="owner")
    answers = await asyncio.gather(change(owner, "delete", "the-owner"), change(owner, "delete", "second"))
    assert sorted(one.status_code for one in answers) in ([200, 401], [200, 409])


async def test_fields_that_nobody_may_set_are_not_set(owner: httpx.AsyncClient, parts: Parts) -> None:
    more = {"id": 7, "disabled": True, "session_version": 9, "password_hash": "x", "created_at": "2000-01-01T00:00:00Z"}
    made = (await create(owner, "anna", **more)).json()["user"]
    user = await parts.users.get("anna")
    assert (user.id, user.role, user.disabled, user.session_version) == (made["id"], Role.VIEWER, False, 1)
    assert user.password_hash != "x"
    assert user.created_at.year > 2000
    assert (await change(owner, "edit", "anna", is_admin=True)).status_code == 422
    await change(owner, "edit", "anna", password="another good one", is_admin=True, disabled=True)
    assert (await parts.users.get("anna")).role is Role.VIEWER
    body = {"old_password": PASSWORD, "new_password": "x" * 9, "role": "viewer"}
    await owner.post("/api/user/password", json=body)
    assert (await parts.users.get("the-owner")).role is Role.OWNER


async def test_older_clients_ask_for_an_admin_by_a_flag(owner: httpx.AsyncClient, log_in: LogIn) -> None:
    assert (await create(owner, "anna", is_admin=True)).json()["user"]["role"] == "admin"
    assert (await create(owner, "bert", is_admin=False)).json()["user"]["role"] == "viewer"
    operator = await log_in(Role.OPERATOR)
    assert (await create(operator, "carl", is_admin=True)).status_code == 403


async def test_a_taken_name_and_a_bad_one_are_refused(owner: httpx.AsyncClient) -> None:
    assert (await create(owner, "THE-OWNER")).json()["error"] == "user_exists"
    for name in ("", "a b", "a\0b", "\ud800", "x" * 65):
        body = b'{"action": "create", "password": "correct horse", "username": %b}'
        content = body % (b'"\\ud800"' if name == "\ud800" else httpx.Request("GET", "http://h", json=name).content)
        refused = await owner.post(USERS, content=content, headers={"Content-Type": "application/json"})
        assert refused.status_code == 422, name


async def test_a_list_of_users_is_sorted_searched_and_paged(owner: httpx.AsyncClient) -> None:
    for name in ("a_b", "axb", "zed"):
        await create(owner, name)
    found = (await owner.get(USERS, params={"q": "A_B"})).json()
    assert [one["username"] for one in found["users"]] == ["a_b"]
    page = (await owner.get(USERS, params={"sort": "-username", "size": 1, "page": 2})).json()
    assert ([one["username"] for one in page["users"]], page["total"]) == (["the-owner"], 4)
    assert (await owner.get(USERS, params={"sort": "password_hash"})).status_code == 422


async def test_the_first_password_is_forgotten_when_an_administrator_sets_another(
    owner: httpx.AsyncClient, parts: Parts
) -> None:
    file = parts.settings.home.admin_password
    file.write_text("generated")
    await create(owner, "admin", role="owner")
    await change(owner, "edit", "admin", role="admin")
    assert file.exists()
    await change(owner, "reset_password", "admin", password="another good one")
    assert not file.exists()
