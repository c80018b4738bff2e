"""What `botmatrix doctor` looks at."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import resource
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg

from botmatrix.bus.client import Client
from botmatrix.bus.handshakes import Handshake, HandshakeBox
from botmatrix.bus.keys import Keys
from botmatrix.config import OPTIONS, Settings
from botmatrix.config.values import is_loopback
from botmatrix.embedded import binaries, ports, running
from botmatrix.errors import BotMatrixError, EngineUnavailable

OLDEST_REDIS, OLDEST_VALKEY, OLDEST_POSTGRES = (6, 2), (7, 2), 14
_ENOUGH_FILES = 10_000
_ENOUGH_DISK = 1024**3
_CLOCK_SKEW = 2.0
_SHORT_TOKEN = 12
_SHOWN_HANDSHAKES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `cure` says what to do, when something is to be done."""

    what: str
    state: Literal["ok", "warning", "failed"]
    found: str
    cure: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything. Never raises: what can't be looked at is a finding."""
    up = running.find(settings.home)
    settings = running.with_ports_of(settings, up) if up else settings
    redis_url = settings.redis_url or (up.redis_url if up else "")
    database_url = settings.database_url or (up.database_url if up else "")
    redis = redis_findings(redis_url) if redis_url else _bundled("Redis", binaries.valkey_server)
    postgres = postgres_findings(database_url) if database_url else _bundled("PostgreSQL", binaries.postgres_folder)
    engines = await asyncio.gather(redis, postgres)
    place = Finding("Data folder", "ok", f"{settings.home.root} ({'up is running' if up else 'nothing runs'})")
    machine = [Finding("Python", "ok", platform.python_version()), place, *_machine(settings)]
    return [*machine, *engines[0], *engines[1], *_ports(settings, running=up is not None), *_tokens(settings)]


async def redis_findings(url: str) -> list[Finding]:
    """Version, eviction, durability, password and clock of a Redis, and the handshakes that were refused lately."""
    client = Client(url, name="botmatrix-doctor", timeout=5.0)
    try:
        information = _information(await client.call("INFO"))
        seconds = float((await client.call("TIME"))[0])
        refused = await HandshakeBox(client, Keys()).recent(time.time())
    except BotMatrixError as error:
        cure = "Check redis_url and that the server runs; a firewall or a wrong password looks like this too"
        return [Finding("Redis", "failed", str(error), cure)]
    finally:
        with contextlib.suppress(BotMatrixError, OSError):
            await client.close()
    return [
        _redis_version(information),
        *_redis_safety(information),
        *_exposure("Redis", url),
        _clock("Redis", seconds),
        *handshake_findings(refused),
    ]


def handshake_findings(refused: list[Handshake]) -> Iterator[Finding]:
    """The refused handshakes of the last hour: of each reason the newest, at most five."""
    newest: dict[str, Handshake] = {}
    for one in refused:
        newest.setdefault(one.reason, one)
    for one in list(newest.values())[:_SHOWN_HANDSHAKES]:
        count = sum(other.reason == one.reason for other in refused)
        at = time.strftime("%H:%M", time.localtime(one.at))
        who = f"bot {one.self_id} at {one.remote}" if one.self_id else one.remote
        found = f"{one.reason}: {who} at {one.target} ({count} in the last hour, last at {at})"
        yield Finding("Refused client", "warning", found, one.cure)


async def postgres_findings(url: str) -> list[Finding]:
    """Version, password and clock of a PostgreSQL."""
    try:
        connection = await asyncpg.connect(str(url), timeout=5)
        try:
            seconds = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            version = str(await connection.fetchval("SHOW server_version")).split()[0]
        finally:
            await connection.close(timeout=2)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        cure = "Check database_url and that the server runs"
        return [Finding("PostgreSQL", "failed", str(error) or type(error).__name__, cure)]
    found = f"version {version}"
    new_enough = int(version.split(".")[0]) >= OLDEST_POSTGRES
    cure = "" if new_enough else f"BotMatrix needs PostgreSQL {OLDEST_POSTGRES} or newer"
    state: Literal["ok", "failed"] = "ok" if new_enough else "failed"
    return [Finding("PostgreSQL", state, found, cure), *_exposure("PostgreSQL", url), _clock("PostgreSQL", seconds)]


async def _bundled(engine: str, locate: Any) -> list[Finding]:
    try:
        return [Finding(engine, "ok", f"`botmatrix up` will run its own: {locate()}")]
    except EngineUnavailable as error:
        return [Finding(engine, "failed", error.reason, error.cure)]


def _information(raw: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in raw.decode(errors="replace").splitlines())
    return {name: value for name, _, value in lines}


def _redis_version(information: dict[str, str]) -> Finding:
    valkey = information.get("valkey_version", "")
    name, version, oldest = ("Valkey", valkey, OLDEST_VALKEY) if valkey else ("Redis", "", OLDEST_REDIS)
    version = version or information.get("redis_version", "0")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers >= oldest:
        return Finding("Redis", "ok", f"{name} {version}")
    wanted = ".".join(map(str, oldest))
    return Finding("Redis", "failed", f"{name} {version}", f"BotMatrix needs {name} {wanted} or newer")


def _redis_safety(information: dict[str, str]) -> Iterator[Finding]:
    policy = information.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield Finding("Redis eviction", "ok", policy)
    else:
        cure = "CONFIG SET maxmemory-policy noeviction: else a full Redis throws messages away"
        yield Finding("Redis eviction", "failed", policy, cure)
    if information.get("aof_enabled") == "1":
        yield Finding("Redis durability", "ok", "append-only file")
    else:
        cure = "Set `appendonly yes`: without it a crash of Redis loses what waits in queues"
        yield Finding("Redis durability", "warning", "no append-only file", cure)


def _exposure(engine: str, url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.hostname and not is_loopback(parts.hostname) and not parts.password:
        cure = "Give the server a password, and let it listen on private addresses only"
        yield Finding(f"{engine} password", "warning", "none, on another machine", cure)


def _clock(engine: str, theirs: float) -> Finding:
    skew = abs(time.time() - theirs)
    if skew <= _CLOCK_SKEW:
        return Finding(f"{engine} clock", "ok", f"{skew:.1f} s apart")
    return Finding(f"{engine} clock", "warning", f"{skew:.1f} s apart", "Let both machines keep time by NTP")


def _machine(settings: Settings) -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= _ENOUGH_FILES
    cure = "" if enough else f"Raise it (ulimit -Hn, LimitNOFILE=): each bot takes one of {hard}"
    yield Finding("Open files", "ok" if enough else "warning", f"up to {hard} (now {soft}, raised at start)", cure)
    free = shutil.disk_usage(settings.home.root if settings.home.root.exists() else "/").free
    low = "Free some: engines stop taking messages when the disk is full" if free < _ENOUGH_DISK else ""
    yield Finding("Disk", "warning" if low else "ok", f"{free / 1024**3:.1f} GiB free", low)
    for path in _secret_files(settings):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding("Secrets", "warning", f"{path} can be read by others", f"chmod 600 {path}")


def _secret_files(settings: Settings) -> list[Path]:
    files = [settings.home.secrets, settings.home.admin_password]
    if any(option.secret and settings.source(option.key) == "file" for option in OPTIONS):
        files.append(settings.home.config)
    return files


def _ports(settings: Settings, *, running: bool) -> Iterator[Finding]:
    wanted = (("ws_port", settings.gateway_host), ("webui_port", settings.control_host))
    for key, host in wanted:
        port = getattr(settings, key)
        why = ports.problem(host, port)
        if not why:
            yield Finding(key, "ok", f"{host}:{port} is free")
        elif running:
            yield Finding(key, "ok", f"{host}:{port} is in use, as it should be while `up` runs")
        else:
            yield Finding(key, "failed", f"{host}:{port}: {why}", f"End that program, or set {key}")


def _tokens(settings: Settings) -> Iterator[Finding]:
    for key in ("bot_token", "worker_token"):
        token = getattr(settings, key)
        if not token:
            yield Finding(key, "warning", "empty: whoever reaches the port is let in", f"Remove {key} to have one made")
        elif len(token) < _SHORT_TOKEN:
            yield Finding(key, "warning", "short enough to be guessed", f"Use {_SHORT_TOKEN} characters or more")
        else:
            yield Finding(key, "ok", f"set ({settings.source(key)})")
