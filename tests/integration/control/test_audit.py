"""The operation log: what is in it, what is not, and reading it with hostile questions."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from tests.integration.control.conftest import PASSWORD, LogIn, Visit

from botmatrix.control.audit import AuditTrail, note_of
from botmatrix.control.parts import Parts
from botmatrix.store.engine import Database
from botmatrix.store.operations import Change, Operations
from botmatrix.store.tables import Role

USERS = "/api/admin/users"


async def entries(client: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["audit"]
    return found


async def test_changes_say_who_what_before_after_and_whence(owner: httpx.AsyncClient) -> None:
    for body in (
        {"action": "create", "username": "anna", "password": PASSWORD, "role": "operator"},
        {"action": "edit", "username": "anna", "role": "viewer"},
        {"action": "edit", "username": "anna", "password": "canary-password-1"},
        {"action": "reset_password", "username": "anna", "password": "canary-password-2"},
        {"action": "toggle_active", "username": "anna"},
        {"action": "toggle_active", "username": "anna"},
        {"action": "delete", "username": "anna"},
    ):
        assert (await owner.post(USERS, json=body)).status_code == 200
    found = await entries(owner, sort="at")
    assert [(one["what"], one["before"], one["after"]) for one in found] == [
        ("user.create", None, {"role": "operator"}),
        ("user.edit", {"role": "operator"}, {"role": "viewer"}),
        ("user.password", {"role": "viewer"}, {"role": "viewer", "password": "***"}),
        ("user.password", {"role": "viewer"}, {"role": "viewer", "password": "***"}),
        ("user.disable", {"disabled": False}, {"disabled": True}),
        ("user.enable", {"disabled": True}, {"disabled": False}),
        ("user.delete", {"role": "viewer", "disabled": False}, None),
    ]
    assert {(one["who"], one["via"], one["object"], one["address"]) for one in found} == {
        ("the-owner", "login", "anna", "127.0.0.1")
    }


async def test_no_secret_reaches_the_log(owner: httpx.AsyncClient, visit: Visit, database_url: str) -> None:
    client = visit()
    token = (await client.post("/api/login", json={"username": "the-owner", "password": PASSWORD})).json()["token"]
    made = (await owner.post("/api/keys", json={"name": "ci", "scope": "viewer"})).json()
    body = {"old_password": PASSWORD, "new_password": "canary-password-3"}
    renewed = (await client.post("/api/user/password", json=body)).json()["token"]
    assert (await client.post("/api/logout")).status_code == 200
    connection = await asyncpg.connect(database_url)
    whole = await connection.fetchval("SELECT string_agg(audit::text, ' ' ORDER BY id) FROM audit")
    names = [row["what"] for row in await connection.fetch("SELECT what FROM audit ORDER BY id")]
    await connection.close()
    assert names == ["login", "key.create", "user.password", "logout"]
    for secret in (token, renewed, made["token"], PASSWORD, "canary"):
        assert secret not in whole


async def test_a_route_that_says_nothing_is_written_down_as_it_was_asked(
    owner: httpx.AsyncClient, visit: Visit
) -> None:
    key = (await owner.post("/api/keys", json={"name": "ci", "scope": "operator"})).json()["token"]
    program = visit("203.0.113.7")
    program.headers["Authorization"] = f"Bearer {key}"
    assert (await program.post("/api/queues/dead/purge?x=%00", json={"all": True})).status_code == 200
    assert (await program.post("/api/queues/dead/purge", json={"all": False})).status_code == 422
    newest, made = await entries(owner)
    assert made["what"] == "key.create"
    del newest["id"], newest["at"]
    assert newest == {
        "who": "the-owner",
        "via": "key:ci",
        "what": "POST /api/queues/dead/purge",
        "object": "?x=%00",
        "before": None,
        "after": {"all": True},
        "address": "203.0.113.7",
    }


async def test_failed_logins_and_refusals_do_not_fill_the_log(
    owner: httpx.AsyncClient, client: httpx.AsyncClient, log_in: LogIn
) -> None:
    await client.post("/api/login", json={"username": "the-owner", "password": "wrong"})
    await (await log_in(Role.VIEWER)).post("/api/queues/dead/purge", json={"all": True})
    assert await entries(owner) == []


async def test_the_log_is_searched_literally_and_paged(owner: httpx.AsyncClient, parts: Parts) -> None:
    for number, name in enumerate(["a_b", "axb", "a%b", "A_B", "x\\y"]):
        change = Change(f"user{number}", "cli", "user.create", name, after={"deep": [{"colour": f"shade{number}"}]})
        await parts.operations.write(change)
    assert [one["object"] for one in await entries(owner, q="a_b")] == ["A_B", "a_b"]
    assert [one["object"] for one in await entries(owner, q="%")] == ["a%b"]
    assert [one["object"] for one in await entries(owner, q="\\")] == ["x\\y"]
    assert [one["object"] for one in await entries(owner, q="shade3")] == ["A_B"]
    page = (await owner.get("/api/audit", params={"sort": "who", "size": 2, "page": 2})).json()
    assert [one["who"] for one in page["audit"]] == ["user2", "user3"]
    assert (page["total"], page["page"], page["size"]) == (5, 2, 2)
    assert (await owner.get("/api/audit", params={"page": 1_000_000, "size": 500})).json()["audit"] == []


INJECTIONS = [
    *(
        "'",
        '"',
        "''",
        "';",
        "\\",
        "\\'",
        "%",
        "_",
        "%%",
        "--",
        "/*",
        "*/",
        "#",
        ";",
        "()",
        "$1",
        "$$",
        ":x",
        "%s",
        "%(x)s",
    ),
    *("' OR '1'='1", "' OR 1=1 --", '" OR ""="', "') OR ('1'='1", "' OR 'x' LIKE '%", "1 OR 1=1", "1' AND '1'='1"),
    *("'; DROP TABLE users; --", "'; DELETE FROM audit; --", "x'; UPDATE users SET role='owner'; --"),
    *("' UNION SELECT password_hash FROM users --", "' UNION ALL SELECT NULL,NULL --", "1; SELECT pg_sleep(9)"),
    *("'||(SELECT pg_sleep(9))||'", "' AND (SELECT 1 FROM pg_sleep(9))=1 --", "at; DROP TABLE audit", "at DESC, who"),
    *(
        "(CASE WHEN 1=1 THEN at ELSE who END)",
        "at--",
        "-at;",
        "--at",
        "password_hash",
        "User.password_hash",
        "__class__",
    ),
    *("at\0", "\0", "\ufeff", "\u02bc OR 1=1", "＇ OR 1=1 --", "{{7*7}}", "${7*7}", "<script>alert(1)</script>"),
]


@pytest.mark.parametrize("path", ["/api/audit", USERS, "/api/sessions", "/api/keys"])
async def test_hostile_words_are_only_words(owner: httpx.AsyncClient, parts: Parts, path: str) -> None:
    assert len(INJECTIONS) >= 50
    await parts.operations.write(Change("somebody", "cli", "user.create", "plain"))
    names = {"somebody", "the-owner", "cli", "user.create", "plain", "127.0.0.1", "tests", "a key", "viewer"}
    await owner.post("/api/keys", json={"name": "a key", "scope": "viewer"})
    for hostile in INJECTIONS:
        found = await owner.get(path, params={"q": hostile})
        assert found.status_code == 200, hostile
        literal = hostile.replace("\0", "") if path in ("/api/audit", USERS) else hostile
        if not any(literal.casefold() in name for name in names) and literal not in ('"', ":x", "_", "()"):
            assert found.json()["total"] == 0, hostile
        refused = await owner.get(path, params={"sort": hostile})
        assert (refused.status_code, refused.json()["error"]) == (422, "invalid"), hostile
    assert (await parts.users.list())[1] == 1


async def test_the_change_counts_even_when_it_cannot_be_written_down() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        note_of(Request(scope, receive)).by("anna", "login")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    database = Database("postgresql://nobody@127.0.0.1:1/none", part="tests")
    trail = AuditTrail(application, Operations(database))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(trail), base_url="http://h") as client:
        with capture_logs() as logs:
            assert (await client.post("/x", json={"password": "canary"})).status_code == 200
    await database.close()
    assert [(one["log_level"], one["who"], one["what"]) for one in logs] == [("error", "anna", "POST /x")]
    assert "canary" not in str(logs)


@pytest.mark.parametrize("status", [200, 503])
async def test_what_is_done_is_written_while_the_answer_is_waited_for(parts: Parts, status: int) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        note = note_of(Request(scope, receive))
        note.by("anna", "login")
        note.say("skill.call", "weather")
        note.write()
        async with asyncio.timeout(20):
            while not (await parts.operations.list())[1]:
                await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    trail = AuditTrail(application, parts.operations)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(trail), base_url="http://h") as client:
        assert (await client.post("/x")).status_code == status
    [change], _ = await parts.operations.list()
    assert (change.who, change.what, change.object) == ("anna", "skill.call", "weather")
