"""Every route times every role, from the table in docs/rest.md; a route that the table does not know fails."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from tests.integration.control.conftest import PASSWORD, Visit

from botmatrix.control.parts import Parts
from botmatrix.store.tables import Role, User

PAGE = Path(__file__).parents[3] / "docs" / "rest.md"
ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \| (\w+) \|", re.MULTILINE)
TABLE = {(method, path): who for method, path, who in ROW.findall(PAGE.read_text())}
ADDRESSES = {"task_id": "1"}
"""What stands in a path where not just anything may."""
RANKS = {"viewer": 1, "operator": 2, "admin": 3, "owner": 4}
WHO = {"anyone", "person", *RANKS}


class Visitor(NamedTuple):
    """Somebody who asks: the rank of what they may do (0: nothing), and whether with an API key."""

    rank: int
    by_key: bool
    token: Callable[[Parts], Awaitable[str]]


def login(role: Role) -> Callable[[Parts], Awaitable[str]]:
    async def token(parts: Parts) -> str:
        return (await parts.logins.start(await user(parts, role), address="", user_agent=""))[0]

    return token


def key(role: Role, scope: Role) -> Callable[[Parts], Awaitable[str]]:
    async def token(parts: Parts) -> str:
        for older in await parts.keys.list():
            await parts.keys.delete(older.key.id)
        return (await parts.keys.create(await user(parts, role), "k", scope, None))[0]

    return token


async def nobody(_: Parts) -> str:
    return ""


async def revoked_login(parts: Parts) -> str:
    token = await login(Role.OWNER)(parts)
    await parts.logins.end(token)
    return token


async def revoked_key(parts: Parts) -> str:
    token, row = await parts.keys.create(await user(parts, Role.OWNER), "k", Role.ADMIN, None)
    await parts.keys.delete(row.id)
    return token


async def disabled(parts: Parts) -> str:
    token = await login(Role.ADMIN)(parts)
    await parts.users.disable("the-admin")
    return token


async def disabled_with_key(parts: Parts) -> str:
    token = await key(Role.ADMIN, Role.ADMIN)(parts)
    await parts.users.disable("the-admin")
    return token


async def user(parts: Parts, role: Role) -> User:
    return await parts.users.enable(f"the-{role.value}")


VISITORS = {
    "anonymous": Visitor(0, False, nobody),
    "revoked": Visitor(0, False, revoked_login),
    "disabled": Visitor(0, False, disabled),
    "viewer": Visitor(1, False, login(Role.VIEWER)),
    "operator": Visitor(2, False, login(Role.OPERATOR)),
    "admin": Visitor(3, False, login(Role.ADMIN)),
    "owner": Visitor(4, False, login(Role.OWNER)),
    "revoked key": Visitor(0, True, revoked_key),
    "key of a disabled user": Visitor(0, True, disabled_with_key),
    "owner's key for viewing": Visitor(1, True, key(Role.OWNER, Role.VIEWER)),
    "viewer's key for administering": Visitor(1, True, key(Role.VIEWER, Role.ADMIN)),
    "admin's key for operating": Visitor(2, True, key(Role.ADMIN, Role.OPERATOR)),
    "owner's key for administering": Visitor(3, True, key(Role.OWNER, Role.ADMIN)),
}


def expected(who: str, visitor: Visitor) -> int:
    """401, 403, or 0 for anything else."""
    if who == "anyone":
        return 0
    if not visitor.rank:
        return 401
    if who == "person":
        return 403 if visitor.by_key else 0
    return 0 if visitor.rank >= RANKS[who] else 403


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ADDRESSES.get(found[1], "qq:1"), path)


async def routes(client: httpx.AsyncClient) -> set[tuple[str, str]]:
    paths: dict[str, dict[str, Any]] = (await client.get("/openapi.json")).json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


async def test_the_page_has_every_route_and_no_other(client: httpx.AsyncClient) -> None:
    assert set(TABLE) == await routes(client), "docs/rest.md: one row for each route, with who may ask"
    assert set(TABLE.values()) <= WHO


async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient) -> None:
    for path in sorted({path for _, path in TABLE}):
        refused = await client.request("TRACE", filled(path))
        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) == {method for method, one in TABLE if one == path}, path


def test_no_route_hides_from_the_description(app: Any) -> None:
    inner: Any = app
    while not isinstance(inner, FastAPI):
        inner = inner._app
    paths = {re.sub(r":(int|plugin_id)}", "}", route.path) for route in flat(inner.routes)}
    assert paths == {path for _, path in TABLE} | {
        "/",
        "/docs",
        "/openapi.json",
        "/api/sim",  # a WebSocket, which OpenAPI does not know: test_sim.py
        "/static",
        "/assets/{version}/{path:path}",
    }


def flat(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, those of included routers among them."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from flat(included.routes)


@pytest.mark.parametrize("name", VISITORS)
async def test_every_route_lets_in_whom_it_should(name: str, parts: Parts, visit: Visit) -> None:
    visitor = VISITORS[name]
    for role in Role:
        await parts.users.create(f"the-{role.value}", PASSWORD, role)
    for method, path in sorted(await routes(visit())):
        client = visit()
        before = (await parts.operations.list())[1]
        token = await visitor.token(parts)
        if token:
            client.headers["Authorization"] = f"Bearer {token}"
        answer = await client.request(method, filled(path), json=None if method == "GET" else {})
        wanted = expected(TABLE[method, path], visitor)
        if path == "/api/login":
            assert answer.status_code == 422
        elif wanted:
            assert answer.status_code == wanted, (method, path, answer.text)
        else:
            assert answer.status_code not in (401, 403), (method, path, answer.text)
        written = (await parts.operations.list())[1] - before
        assert written == (method != "GET" and answer.status_code < 400), "what was done is written down, and only that"
