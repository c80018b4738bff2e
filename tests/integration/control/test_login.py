"""Logging in: tokens, the cookie, revocation, and what guessing costs."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from tests.hashing import Gated
from tests.integration.control.conftest import ORIGIN, PASSWORD, LogIn, Visit

from botmatrix.control.parts import Parts
from botmatrix.control.throttle import FREE_PER_ACCOUNT
from botmatrix.store.passwords import AT_ONCE, MOST_WAITING, Passwords
from botmatrix.store.tables import Role


@pytest.fixture(autouse=True)
async def alice(parts: Parts) -> None:
    """A user to log in as."""
    await parts.users.create("Alice", PASSWORD, Role.ADMIN)


async def enter(client: httpx.AsyncClient, password: str = PASSWORD, username: str = "alice") -> httpx.Response:
    return await client.post("/api/login", json={"username": username, "password": password})


async def test_the_token_of_a_login_opens_the_interface(client: httpx.AsyncClient, visit: Visit) -> None:
    answer = (await enter(client)).json()
    other = visit()
    me = await other.get("/api/me", headers={"Authorization": f"Bearer {answer['token']}"})
    assert answer["success"] is True
    assert me.json()["user"]["username"] == "Alice"
    assert me.json()["user"]["role"] == "admin"
    assert set(me.json()["user"]) == {"id", "username", "role", "created_at", "last_login_at"}


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: httpx.AsyncClient) -> None:
    cookie = (await enter(client)).headers["set-cookie"]
    assert cookie.startswith("botmatrix_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await client.get("/api/me")).status_code == 200


async def test_https_at_the_root_gets_a_host_cookie(visit: Visit) -> None:
    client = visit(base_url="https://bots.example")
    cookie = (await enter(client)).headers["set-cookie"]
    assert cookie.startswith("__Host-botmatrix_session=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert (await client.get("/api/me")).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "bms_x", "bms_\u00e9".encode().decode("latin-1")])
async def test_a_wrong_token_is_401(client: httpx.AsyncClient, token: str) -> None:
    refused = await client.get("/api/me", headers={b"Authorization": f"Bearer {token}".encode("latin-1")})
    assert refused.status_code == 401
    assert refused.json() == {"success": False, "error": "unauthorized", "message": refused.json()["message"]}


async def test_a_bad_header_is_not_saved_by_a_good_cookie(client: httpx.AsyncClient) -> None:
    await enter(client)
    assert (await client.get("/api/me", headers={"Authorization": "Basic eDp5"})).status_code == 401


async def test_unknown_name_and_wrong_password_look_the_same(client: httpx.AsyncClient) -> None:
    unknown = await enter(client, username="nobody")
    wrong = await enter(client, password="wrong")
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.json() == wrong.json()


async def test_a_logged_out_token_is_void(client: httpx.AsyncClient) -> None:
    token = (await enter(client)).json()["token"]
    client.cookies.clear()
    client.headers["Authorization"] = f"Bearer {token}"
    assert (await client.post("/api/logout")).status_code == 200
    assert (await client.get("/api/me")).status_code == 401


async def test_every_login_has_a_token_of_its_own(client: httpx.AsyncClient) -> None:
    client.cookies.set("botmatrix_session", "bms_chosen-by-an-attacker")
    first, second = (await enter(client)).json()["token"], (await enter(client)).json()["token"]
    assert len({first, second, "bms_chosen-by-an-attacker"}) == 3


async def test_a_disabled_user_is_out_at_once(client: httpx.AsyncClient, parts: Parts) -> None:
    await parts.users.create("root", PASSWORD, Role.OWNER)
    await enter(client)
    await parts.users.disable("alice")
    assert (await client.get("/api/me")).status_code == 401
    assert (await enter(client)).status_code == 401


async def test_a_new_password_ends_every_other_login(client: httpx.AsyncClient, visit: Visit) -> None:
    other = visit()
    await enter(other)
    await enter(client)
    body = {"old_password": PASSWORD, "new_password": "another good one"}
    changed = await client.post("/api/user/password", json=body)
    assert changed.status_code == 200
    assert (await client.get("/api/me")).status_code == 200
    assert (await other.get("/api/me")).status_code == 401
    assert (await enter(visit())).status_code == 401
    assert (await enter(visit(), password="another good one")).status_code == 200


async def test_the_old_password_must_be_right(client: httpx.AsyncClient) -> None:
    await enter(client)
    body = {"old_password": "wrong", "new_password": "another good one"}
    refused = await client.post("/api/user/password", json=body)
    assert (refused.status_code, refused.json()["error"]) == (403, "wrong_password")


@pytest.mark.parametrize("password", ["short", "with \0 inside it", "x" * 1025])
async def test_a_bad_new_password_is_422_and_not_repeated(client: httpx.AsyncClient, password: str) -> None:
    await enter(client)
    body = {"old_password": PASSWORD, "new_password": password}
    refused = await client.post("/api/user/password", json=body)
    assert refused.status_code == 422
    assert password not in refused.json()["message"]


async def test_changing_the_first_password_removes_its_file(
    client: httpx.AsyncClient, parts: Parts, owner: httpx.AsyncClient
) -> None:
    file = parts.settings.home.admin_password
    file.write_text("generated")
    await parts.users.create("admin", PASSWORD, Role.OWNER)
    body = {"old_password": PASSWORD, "new_password": "another good one"}
    await owner.post("/api/user/password", json=body)
    assert file.exists()
    entered = await enter(client, username="admin")
    changed = await client.post("/api/user/password", json=body)
    assert not file.exists()
    assert [entered.json()["generated_password"], changed.json()["generated_password"]] == [True, False]


async def test_guessing_is_slowed_down_but_not_for_the_owner_elsewhere(visit: Visit) -> None:
    guesser = visit("203.0.113.7")
    answers = await asyncio.gather(*(enter(guesser, password=f"guess {n}") for n in range(40)))
    refused = [one for one in answers if one.status_code == 429]
    assert len(refused) >= 34
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert refused[0].json()["error"] == "too_many_attempts"
    assert (await enter(guesser)).status_code == 429
    assert (await enter(visit("198.51.100.9"))).status_code == 200


async def test_a_right_password_starts_the_count_anew(client: httpx.AsyncClient) -> None:
    for _ in range(3):
        assert [(await enter(client, password="wrong")).status_code for _ in range(4)] == [401] * 4
        assert (await enter(client)).status_code == 200


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://["},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": ORIGIN},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_the_cookie_does_not_work_from_another_site(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    await enter(client)
    refused = await client.post("/api/logout", headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (403, "foreign_origin")
    assert (await client.get("/api/me")).status_code == 200


OWN = [
    {"Origin": ORIGIN},
    {"Origin": "https://127.0.0.1:3002"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://name.behind.a.proxy"},
    {},
]


@pytest.mark.parametrize("headers", OWN)
async def test_the_cookie_works_from_our_own_pages(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    await enter(client)
    assert (await client.post("/api/logout", headers=headers)).status_code == 200


async def test_nobody_is_logged_in_by_another_site(client: httpx.AsyncClient) -> None:
    body = {"username": "alice", "password": PASSWORD}
    refused = await client.post("/api/login", json=body, headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


async def test_a_form_is_no_json(client: httpx.AsyncClient) -> None:
    await enter(client)
    refused = await client.post(
        "/api/queues/dead/purge", content=b'{"all": true}', headers={"Content-Type": "text/plain"}
    )
    assert (refused.status_code, refused.json()["error"]) == (422, "not_json")


async def test_roles_bar_what_is_above_them(log_in: LogIn) -> None:
    viewer, operator = await log_in(Role.VIEWER), await log_in(Role.OPERATOR)
    assert (await viewer.get("/api/bots")).status_code == 200
    assert (await viewer.get("/api/queues/dead")).status_code == 403
    assert (await operator.get("/api/queues/dead")).status_code == 200
    refused = await operator.get("/api/connect-info")
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")


async def test_nothing_but_the_login_is_open_to_strangers(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    routes = [(m, p) for p, methods in paths.items() for m in methods if p.startswith("/api/") and p != "/api/login"]
    assert len(routes) > 10
    for method, path in routes:
        address = re.sub(r"{\w+}", "qq:1", path.replace("{task_id}", "1"))
        refused = await client.request(method, address, json={} if method == "post" else None)
        assert refused.status_code == 401, (method, path)


async def test_logins_that_find_the_queue_full_come_back_later_and_count_for_nothing(
    client: httpx.AsyncClient, parts: Parts
) -> None:
    hasher = Gated()
    parts.passwords = Passwords(hasher)
    hashed = await parts.passwords.hash(PASSWORD)
    places = range(AT_ONCE + MOST_WAITING)
    waiting = [asyncio.create_task(parts.passwords.matches(hashed, PASSWORD)) for _ in places]
    await asyncio.sleep(0)  # each takes its place
    for _ in range(FREE_PER_ACCOUNT + 2):
        refused = await enter(client)
        assert (refused.status_code, refused.json()["error"]) == (503, "busy")
        assert refused.headers["retry-after"] == "5"
    hasher.gate.set()
    await asyncio.gather(*waiting)
    assert (await enter(client)).status_code == 200
