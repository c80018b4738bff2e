"""A control plane on real engines, asked in-process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.types import ASGIApp

from botmatrix.config import Current, Home, load
from botmatrix.control.asgi import make_app
from botmatrix.control.parts import Parts, build
from botmatrix.store.passwords import Passwords
from botmatrix.store.tables import Role
from botmatrix.store.users import Users

PASSWORD = "correct horse battery"
ORIGIN = "http://127.0.0.1:3002"


@dataclass
class ControlOptions:
    """Settings of a control plane under test, as they stand in its config.json."""

    home: Home
    redis_url: str
    database_url: str
    control_host: str = "127.0.0.1"
    webui_port: int = 0
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    gateway_host: str = "127.0.0.1"
    ws_port: int = 3001
    bot_token: str = "the-bot-token"
    message_days: int = 90
    trace_days: int = 14
    audit_days: int = 365
    enable_skill: bool = False
    default_admin_password: str = field(default=PASSWORD, repr=False)

    def current(self) -> Current:
        """The settings of a process that starts with these."""
        fields = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "home"}
        self.home.write_private(self.home.config, json.dumps(fields))
        return Current(load(self.home.root, {}, {}))


@pytest.fixture
def options(home: Path, redis_url: str, database_url: str) -> ControlOptions:
    """Settings that name the engines of the test."""
    return ControlOptions(Home(home), redis_url, database_url)


@pytest.fixture
async def parts(options: ControlOptions) -> AsyncIterator[Parts]:
    """The parts of a control process whose database is ready; its hashes are cheap.

    A test may put others in their places: what was opened here is closed here.
    """
    built = build(options.current())
    cheapen(built)
    built.schema_ready.set()
    built.feed.lifetime = 0.05
    opened = dataclasses.replace(built)
    yield built
    await opened.close()


def cheapen(parts: Parts) -> None:
    """Make password hashes that cost nothing."""
    parts.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    parts.users = Users(parts.database, parts.passwords)


@pytest.fixture
def app(parts: Parts) -> ASGIApp:
    """The application."""
    return make_app(parts)


Visit = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def visit(app: ASGIApp) -> AsyncIterator[Visit]:
    """Makes a client that asks the application from an address."""
    clients: list[httpx.AsyncClient] = []

    def make(address: str = "127.0.0.1", *, base_url: str = ORIGIN) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 40000), raise_app_exceptions=False)
        clients.append(httpx.AsyncClient(transport=transport, base_url=base_url))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(visit: Visit) -> httpx.AsyncClient:
    """Somebody on this machine who has not logged in."""
    return visit()


LogIn = Callable[[Role], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def log_in(parts: Parts, visit: Visit) -> LogIn:
    """Makes a user with a role and a client with its token."""

    async def make(role: Role) -> httpx.AsyncClient:
        user = await parts.users.create(f"the-{role.value}", PASSWORD, role)
        token, _ = await parts.logins.start(user, address="127.0.0.1", user_agent="tests")
        client = visit()
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    return make


@pytest.fixture
async def owner(log_in: LogIn) -> httpx.AsyncClient:
    """Somebody who may do everything."""
    return await log_in(Role.OWNER)
