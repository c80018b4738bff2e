"""What other sites may try through somebody's browser: forged requests, frames, fixed sessions."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.integration.control.conftest import PASSWORD, Visit

from botmatrix.control.auth import COOKIE
from botmatrix.control.parts import Parts
from botmatrix.store.tables import Role

CHANGING = ("post", "put", "patch", "delete")
FORGED = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:3002"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.fixture
async def owner_cookie(parts: Parts, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A browser in which the owner is logged in."""
    await parts.users.create("the-owner", PASSWORD, Role.OWNER)
    await client.post("/api/login", json={"username": "the-owner", "password": PASSWORD})
    assert (await client.get("/api/me")).status_code == 200
    return client


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: " ".join(headers.values()))
async def test_no_changing_route_acts_for_a_page_of_another_site(
    owner_cookie: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    paths = (await owner_cookie.get("/openapi.json")).json()["paths"]
    routes = [(method, path) for path, methods in paths.items() for method in methods if method in CHANGING]
    assert len(routes) > 20
    for method, path in routes:
        place = re.sub(r"\{\w+\}", "1", path)
        answer = await owner_cookie.request(method, place, json={}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin"), (method, path)


@pytest.mark.parametrize("path", ["/", "/docs", "/api/me", "/nothing"])
async def test_nothing_can_be_put_into_a_frame(owner_cookie: httpx.AsyncClient, path: str) -> None:
    headers = (await owner_cookie.get(path)).headers
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_a_login_never_goes_on_under_a_token_that_was_there_before(parts: Parts, visit: Visit) -> None:
    await parts.users.create("the-owner", PASSWORD, Role.OWNER)
    victim, credentials = visit(), {"username": "the-owner", "password": PASSWORD}
    for planted in ("chosen-by-somebody-else", (await visit().post("/api/login", json=credentials)).json()["token"]):
        victim.cookies.set(COOKIE, planted, domain="127.0.0.1")
        answer = await victim.post("/api/login", json=credentials)
        assert answer.json()["token"] != planted
        assert answer.cookies[COOKIE] == answer.json()["token"]
        victim.cookies.clear()


async def test_logging_out_voids_the_token_and_takes_the_cookie_away(owner_cookie: httpx.AsyncClient) -> None:
    token = owner_cookie.cookies[COOKIE]
    answer = await owner_cookie.post("/api/logout", json={})
    assert "Max-Age=0" in answer.headers["set-cookie"] or "expires=" in answer.headers["set-cookie"].lower()
    thief = await owner_cookie.get("/api/me", headers={"Authorization": f"Bearer {token}"})
    assert thief.status_code == 401
