"""The embedded engines: safe by default, their data kept, as root and as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
import redis
from tests.integration.embedded.conftest import SOURCE, UpProcess

from botmatrix.config import load
from botmatrix.embedded import running
from botmatrix.embedded.postgres import Postgres
from botmatrix.embedded.privileges import Identity, assume
from botmatrix.embedded.running import Running
from botmatrix.errors import EngineUnavailable

Start = Callable[..., UpProcess]
_READ_SEARCH = 2


def urls(home: Path) -> Running:
    """Where the engines of a running supervisor are."""
    found = running.find(load(home, {}, {}).home)
    assert found is not None
    return found


def test_valkey_keeps_everything_and_evicts_nothing(start_up: Start, home: Path) -> None:
    start_up().wait_for("READY")
    with redis.Redis.from_url(urls(home).redis_url) as client:
        settings = client.config_get("*")
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}
    assert {key: settings[key] for key in wanted} == wanted
    assert settings["bind"] == "127.0.0.1"
    assert settings["dir"] == str(home / "valkey")


def test_valkey_wants_its_password(start_up: Start, home: Path) -> None:
    start_up().wait_for("READY")
    port = urlsplit(urls(home).redis_url).port or 0
    with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


async def test_postgres_wants_its_password(start_up: Start, home: Path) -> None:
    start_up().wait_for("READY")
    wrong = urls(home).database_url.replace(load(home, {}, {}).home.secret_values()["postgres_password"], "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_application_owns_its_database_and_is_no_superuser(start_up: Start, home: Path) -> None:
    start_up().wait_for("READY")
    connection = await asyncpg.connect(str(urls(home).database_url))
    try:
        await connection.execute("CREATE TABLE t (word text)")
        assert await connection.fetchval("SELECT lower('ÄЖ')") == "äж", "the locale knows more than ASCII"
        assert await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    finally:
        await connection.close()


async def test_data_and_ports_are_kept_from_start_to_start(start_up: Start, home: Path) -> None:
    first = start_up()
    first.wait_for("READY")
    before = urls(home)
    connection = await asyncpg.connect(str(before.database_url))
    await connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    await connection.close()
    with redis.Redis.from_url(before.redis_url) as client:
        client.set("n", 7)
    first.end()

    start_up().wait_for("READY", count=2)
    assert urls(home) == before
    connection = await asyncpg.connect(str(before.database_url))
    assert await connection.fetchval("SELECT n FROM t") == 7
    await connection.close()
    with redis.Redis.from_url(before.redis_url) as client:
        assert client.get("n") == b"7"


def test_first_start_that_was_killed_in_the_middle_is_begun_anew(start_up: Start, home: Path) -> None:
    half = home / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    start_up().wait_for("READY")
    assert not half.exists()


def test_lock_file_of_a_dead_postgres_is_no_obstacle(start_up: Start, home: Path) -> None:
    first = start_up()
    first.wait_for("READY")
    first.end()
    (home / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{home}\n0\n1\n\n127.0.0.1\n")
    start_up().wait_for("READY", count=2)


def test_data_of_another_version_is_left_alone_and_explained(start_up: Start, home: Path) -> None:
    first = start_up()
    first.wait_for("READY")
    first.end()
    version = home / "postgres" / "data" / "PG_VERSION"
    version.write_text("12\n")
    second = start_up()
    assert second.process.wait(30) == 69
    assert "made by version 12" in second.text
    assert version.read_text() == "12\n"


def test_lost_secrets_are_explained(start_up: Start, home: Path) -> None:
    first = start_up()
    first.wait_for("READY")
    first.end()
    (home / "secrets.json").unlink()
    second = start_up()
    assert second.process.wait(30) == 69
    assert "Put back the secrets.json" in second.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_runs_postgres_as_somebody_else_even_below_a_closed_folder(start_up: Start, home: Path) -> None:
    closed = home.parent
    closed.chmod(0o700)
    before = [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in (closed, home)]
    up = start_up()
    up.wait_for("READY")
    assert psutil.Process(up.children["postgres"]).uids().effective != 0
    assert (home / "postgres").stat().st_uid == psutil.Process(up.children["postgres"]).uids().effective
    assert [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder, *_ in before] == before


@pytest.fixture
def ordinary() -> Iterator[tuple[Path, Identity]]:
    """A folder of an ordinary user, and who that is. Skips where this process can't become one."""
    if os.geteuid() != 0:
        pytest.skip("this user is an ordinary one: every other test here shows the same")
    account = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="bm-user-"))
    os.chown(folder, account.pw_uid, account.pw_gid)
    identity = Identity(account.pw_uid, account.pw_gid)
    command = [sys.executable, "-c", "import botmatrix.embedded.supervisor"]
    environment = {"PYTHONPATH": SOURCE, "HOME": str(folder)}
    try:
        subprocess.run(
            command, check=True, env=environment, cwd="/", capture_output=True, preexec_fn=lambda: assume(identity)
        )
    except (OSError, subprocess.SubprocessError):
        # Python or the checkout lies below /root: let the child read them, and nothing more.
        identity = identity._replace(capabilities=(_READ_SEARCH,))
    yield folder, identity
    shutil.rmtree(folder, ignore_errors=True)


def test_ordinary_user_runs_everything_as_that_user(ordinary: tuple[Path, Identity], supervised: Path) -> None:
    folder, identity = ordinary
    home = folder / "home"
    up = UpProcess(home, supervised, become=identity)
    try:
        up.wait_for("READY")
        uids = {name: psutil.Process(pid).uids().effective for name, pid in up.children.items()}
        assert uids == {"valkey": identity.uid, "postgres": identity.uid}
        assert home.stat().st_uid == identity.uid
    finally:
        assert up.end() == 0


async def test_postgres_without_a_place_says_so(home: Path) -> None:
    (home / "postgres").write_text("in the way")
    with pytest.raises((EngineUnavailable, OSError)):
        await Postgres(load(home, {}, {}).home, "a", "b").prepare()
