"""What surrounds every request: headers, size, shape of errors, sub-path."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.control.conftest import PASSWORD, ControlOptions

from botmatrix.control.asgi import make_app
from botmatrix.control.parts import Parts
from botmatrix.control.shield import BODY_LIMIT

PLACES = [
    "/",
    "/docs",
    "/healthz",
    "/openapi.json",
    "/static/style.css",
    "/static/../console.html",
    "/api/me",
    "/nothing",
]


@pytest.mark.parametrize("path", PLACES)
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path, headers={"Origin": "https://evil.example"})).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/static/nothing.js", 404, "not_found"),
        ("GET", "/static/../console.html", 404, "not_found"),
        ("DELETE", "/api/me", 405, "method_not_allowed"),
        ("GET", "/api/login", 405, "method_not_allowed"),
        ("GET", "/api/bots", 401, "unauthorized"),
        ("GET", "/api/bots/", 404, "not_found"),
    ],
)
async def test_every_error_has_one_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    refused = await client.request(method, path)
    assert refused.status_code == status
    assert refused.json() == {"success": False, "error": code, "message": refused.json()["message"]}


async def test_a_large_body_is_refused_by_its_declared_length(client: httpx.AsyncClient) -> None:
    refused = await client.post("/api/login", content=b"x" * (BODY_LIMIT + 1))
    assert (refused.status_code, refused.json()["error"]) == (413, "too_large")


async def test_a_large_body_is_refused_without_a_declared_length(owner: httpx.AsyncClient) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65_536

    refused = await owner.post("/api/action", content=drip(), headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["error"]) == (413, "too_large")


@pytest.mark.parametrize("prefix", ["", "/bots"])
async def test_a_sub_path_works_whether_the_proxy_cuts_it_off_or_not(
    parts: Parts, options: ControlOptions, prefix: str
) -> None:
    options.root_path = "/bots"
    parts.current = options.current()
    await parts.users.create_first("admin", PASSWORD, lambda: None)
    transport = httpx.ASGITransport(make_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="https://host") as client:
        body = {"username": "admin", "password": PASSWORD}
        entered = await client.post(f"{prefix}/api/login", json=body)
        page = await client.get(f"{prefix}/static/style.css")
        schema = (await client.get(f"{prefix}/openapi.json")).json()
    assert entered.status_code == 200
    assert "Path=/bots" in entered.headers["set-cookie"]
    assert page.status_code == 200
    assert schema["servers"] == [{"url": "/bots"}]


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/style.css"])
async def test_head_is_answered_like_get(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.head(path)).status_code == 200
