"""The control process as a whole: starts before its engines, becomes ready, ends on a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from tests.integration.control.conftest import PASSWORD, ControlOptions, cheapen
from tests.integration.control.test_resources import put_nexus
from tests.postgres import PostgresProcess

from botmatrix.bus.keys import Keys
from botmatrix.bus.skills import SkillBox
from botmatrix.control.app import listen, prepare, run, serve
from botmatrix.control.bootstrap import ensure_administrator
from botmatrix.control.parts import Parts, build
from botmatrix.core.wording import PATTERNS
from botmatrix.errors import ConfigError
from botmatrix.skills.model import Capability, SkillAnswer, SkillResult, encode
from botmatrix.store.executions import Executions
from botmatrix.store.migrate import SchemaTooNew, upgrade
from botmatrix.store.tables import Role
from botmatrix.store.users import UserExists
from botmatrix.tasks.definition import Definition
from botmatrix.tasks.model import ActionType, TaskType


@asynccontextmanager
async def serving(options: ControlOptions) -> AsyncIterator[tuple[httpx.AsyncClient, Parts]]:
    """A control process in this loop, on a port of its own."""
    parts = build(options.current())
    cheapen(parts)
    listener = listen("127.0.0.1", 0)
    task = asyncio.create_task(serve(parts, listener))
    port = listener.getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client, parts
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 10)
        listener.close()
        await parts.close()


async def test_it_makes_schema_and_owner_and_lets_the_owner_in(options: ControlOptions, empty_database: str) -> None:
    options.database_url = empty_database
    async with serving(options) as (client, parts):
        assert (await client.get("/healthz")).status_code == 200
        await asyncio.wait_for(parts.schema_ready.wait(), 15)
        body = {"username": "admin", "password": PASSWORD}
        entered = await client.post("/api/login", json=body)
        assert entered.json()["user"]["role"] == "owner"
        assert (await client.get("/api/bots")).json()["bots"] == []


async def test_it_waits_for_an_engine_that_comes_late(options: ControlOptions, own_postgres: PostgresProcess) -> None:
    options.database_url = own_postgres.url()
    own_postgres.stop()
    async with serving(options) as (client, parts):
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "Connection refused" in ready.json()["checks"]["postgresql"]["reason"]
        body = {"username": "admin", "password": PASSWORD}
        assert (await client.post("/api/login", json=body)).status_code == 503
        await asyncio.to_thread(own_postgres.start)
        await asyncio.wait_for(parts.schema_ready.wait(), 15)
        assert (await client.post("/api/login", json=body)).status_code == 200


async def test_a_newer_schema_ends_it_with_78(options: ControlOptions, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(SchemaTooNew) as raised:
        await asyncio.wait_for(run(options.current()), 15)
    assert raised.value.exit_code == 78
    assert "9999" in str(raised.value)


async def test_a_taken_port_is_a_wrong_setting(options: ControlOptions) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        options.webui_port = other.getsockname()[1]
        with pytest.raises(ConfigError, match="webui_port"):
            await run(options.current())


async def test_a_request_behind_a_trusted_proxy_counts_for_its_sender(
    options: ControlOptions,
) -> None:
    options.trusted_proxies = ("127.0.0.1",)
    async with serving(options) as (client, parts):
        await asyncio.wait_for(parts.schema_ready.wait(), 15)
        forwarded = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        body = {"username": "admin", "password": "wrong"}
        for _ in range(7):
            refused = await client.post("/api/login", json=body, headers=forwarded)
        assert refused.status_code == 429
        right = {"username": "admin", "password": PASSWORD}
        assert (await client.post("/api/login", json=right, headers=forwarded)).status_code == 429
        elsewhere = {**forwarded, "X-Forwarded-For": "198.51.100.9"}
        entered = await client.post("/api/login", json=right, headers=elsewhere)
        assert "__Host-botmatrix_session" in entered.headers["set-cookie"]


async def test_an_untrusted_sender_does_not_choose_its_address(options: ControlOptions) -> None:
    async with serving(options) as (client, parts):
        await asyncio.wait_for(parts.schema_ready.wait(), 15)
        body = {"username": "admin", "password": "wrong"}
        for number in range(7):
            headers = {"X-Forwarded-For": f"203.0.113.{number}"}
            refused = await client.post("/api/login", json=body, headers=headers)
        assert refused.status_code == 429


async def test_a_generated_password_is_private_and_never_reset(parts: Parts, options: ControlOptions) -> None:
    folder = options.home
    for _ in range(3):
        await ensure_administrator(parts.users, folder, "")
    password = folder.admin_password.read_text().strip()
    assert len(password) == 24
    assert stat.S_IMODE(folder.admin_password.stat().st_mode) == 0o600
    user = await parts.users.get("admin")
    assert user.role is Role.OWNER
    assert await parts.passwords.matches(user.password_hash, password)


async def test_many_first_starts_make_one_administrator(parts: Parts, options: ControlOptions) -> None:
    await asyncio.gather(*(ensure_administrator(parts.users, options.home, "") for _ in range(4)))
    password = options.home.admin_password.read_text().strip()
    user = await parts.users.get("admin")
    assert await parts.passwords.matches(user.password_hash, password)
    assert (await parts.users.list())[1] == 1


async def test_names_that_are_taken_leave_no_errors_in_the_log_of_postgresql(
    parts: Parts, options: ControlOptions, postgres_server: PostgresProcess
) -> None:
    log = postgres_server.folder / "postgres.log"
    before = log.stat().st_size
    first = (ensure_administrator(parts.users, options.home, "a default password") for _ in range(4))
    named = (parts.users.create("Anna", PASSWORD, Role.VIEWER) for _ in range(4))
    ended = await asyncio.gather(*first, *named, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended[4:]) == ["User", *["UserExists"] * 3]
    with pytest.raises(UserExists):
        await parts.users.create("ANNA", PASSWORD, Role.VIEWER)
    assert b"duplicate key" not in log.read_bytes()[before:]


async def test_a_name_that_is_taken_by_somebody_else_is_not_touched(parts: Parts, options: ControlOptions) -> None:
    await parts.users.create("Admin", PASSWORD, Role.VIEWER)
    await ensure_administrator(parts.users, options.home, "")
    assert (await parts.users.get("admin")).role is Role.VIEWER
    assert not options.home.admin_password.exists()


async def test_preparing_twice_changes_nothing(parts: Parts) -> None:
    await prepare(parts)
    await prepare(parts)
    assert (await parts.users.list())[1] == 1


JUDGED_BY_MORE_THAN_A_SCHEMA = """
[[operations]]
include-name = "POST /api/admin/core"
# Whether an expression can be used, no schema can say; and lists may be longer than a body.
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
checks.negative_data_rejection.expected-statuses = ["400", "413", "422"]

[[operations]]
include-name = "POST /api/admin/config"
# Which values a key takes is said in words, by GET.
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

# A moment may be written in several ways, and one may be later than the other.
[[operations]]
include-name = "GET /api/messages"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

[[operations]]
include-name = "GET /api/traces"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

# It takes an event, or the id of one that has a trace, and not both.
[[operations]]
include-name = "POST /api/admin/routing/explain"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

# What is a server's address, and what a bot's key, is said in words.
[[operations]]
include-name = "POST /api/apps"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]

# What is a moment, an expression or a condition, and what an action takes, is said in words.
[[operations]]
include-name = "POST /api/tasks"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]

[[operations]]
include-name = "PATCH /api/tasks/{task_id}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

# Parameters are kept, and NUL can't be.
[[operations]]
include-name = "POST /api/skills/{name}/call"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]

[[operations]]
include-name = "POST /api/skills/weather/call"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]

[[operations]]
include-name = "POST /api/tags"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]

# Which fields belong together depends on the action.
[[operations]]
include-name = "POST /api/alerts"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

# An address that nothing can be fetched from is a text like any other.
[[operations]]
include-name = "POST /api/plugins/packages/fetch"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]

# So is what is no cron expression.
[[operations]]
include-name = "GET /api/tasks/preview"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]
"""


async def test_a_refusal_never_shows_a_regular_expression(owner: httpx.AsyncClient) -> None:
    described = (await owner.get("/openapi.json")).json()
    assert set(patterns(described)) <= PATTERNS.keys(), "core/wording.py: say in words what it allows"
    refused = await owner.post("/api/admin/users", json={"action": "create", "username": "a b", "password": PASSWORD})
    assert refused.json()["message"] == "body.create.username: must be letters, digits and _ . @ + -, without spaces"
    refused = await owner.post("/api/admin/core", json={"permissions": {"blacklist": {"system": ["a b"]}}})
    assert "must be an id, as in qq:123" in refused.json()["message"]
    assert "^" not in refused.json()["message"]


def patterns(part: Any) -> Iterator[str]:
    """Every expression of a description."""
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == "pattern" and isinstance(value, str))
        yield from part.get("patternProperties", {})
        for value in part.values():
            yield from patterns(value)
    elif isinstance(part, list):
        for value in part:
            yield from patterns(value)


async def test_the_interface_keeps_its_description(options: ControlOptions, database_url: str, tmp_path: Path) -> None:
    """schemathesis sends what the description allows and what it forbids, and compares the answers."""
    await upgrade(database_url, part="tests")
    (tmp_path / "schemathesis.toml").write_text(JUDGED_BY_MORE_THAN_A_SCHEMA)
    async with serving(options) as (client, parts):
        await asyncio.wait_for(parts.schema_ready.wait(), 15)
        parts.restart.on_restart = lambda: None
        await put_nexus(parts, "n1.aa", expires_in_ms=600_000)
        parts.feed.lifetime = 0.05
        owner = await parts.users.get("admin")
        for _ in range(40):  # the ids that are tried first belong to others than the one who asks
            token, _ends = await parts.logins.start(owner, address="", user_agent="")
        left_out = ("/api/logout", "/api/user/password", "/api/plugins/packages")  # the last takes an archive
        await compare(client, token, tmp_path, *(word for path in left_out for word in ("--exclude-path", path)))


async def test_skills_and_tasks_keep_their_description(
    options: ControlOptions, database_url: str, tmp_path: Path
) -> None:
    options.enable_skill = True
    await upgrade(database_url, part="tests")
    (tmp_path / "schemathesis.toml").write_text(JUDGED_BY_MORE_THAN_A_SCHEMA)
    async with serving(options) as (client, parts):
        await asyncio.wait_for(parts.schema_ready.wait(), 15)
        token, _ends = await parts.logins.start(await parts.users.get("admin"), address="", user_agent="")
        assert parts.tasks is not None
        say = {"bot_id": "qq:1", "group_id": 7, "message": "hi"}
        yearly = Definition("t", TaskType.CRON, {"cron": "0 0 1 1 *"}, ActionType.SEND_MESSAGE, say)
        for _ in range(40):  # the ids that are tried first are there
            await parts.tasks.create(yearly, "admin")
        weather = Capability("weather", schema={"type": "object", "properties": {"city": {"type": "string"}}})
        box = SkillBox(str(parts.settings.redis_url), Keys(), name="test")
        at_work = asyncio.create_task(give_back(parts, box, weather))
        try:
            await compare(client, token, tmp_path, "--include-path-regex", "^/api/(tasks|tags|skills)")
        finally:
            at_work.cancel()
            await asyncio.wait([at_work])
            await box.close()


async def give_back(parts: Parts, box: SkillBox, skill: Capability) -> None:
    """Offer a skill and end every execution, as a nexus and a worker would."""
    executions = Executions(parts.database)
    while True:
        await parts.presence.announce("w1", {"capabilities": encode([skill]).decode()})
        claimed = [one.execution_id for one in await box.told(block_ms=20)]
        claimed += [one.execution_id for one in await executions.claim(100)]
        late = await executions.expire()
        await executions.apply([SkillResult(execution_id=one, result="done") for one in claimed])
        await box.ended([SkillAnswer(one) for one in (*claimed, *(one.execution_id for one in late))])


async def compare(client: httpx.AsyncClient, token: str, folder: Path, *which: str) -> None:
    """Have schemathesis try these routes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{client.base_url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}", "--max-examples", "5", "--seed", "1"),
        *("--workers", "1", "--checks", "all", *which),
        *("--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--no-color"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 600)
    assert process.returncode == 0, said.decode()
