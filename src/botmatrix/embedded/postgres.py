"""The embedded PostgreSQL: loopback, SCRAM passwords, data in `HOME/postgres`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from pathlib import Path

import asyncpg
import psutil

from botmatrix.config import Home, Secret
from botmatrix.embedded.binaries import postgres_folder
from botmatrix.embedded.ports import kept_port
from botmatrix.embedded.privileges import Identity, unprivileged
from botmatrix.embedded.process import Program, run_once
from botmatrix.errors import EngineUnavailable

ROLE = DATABASE = "botmatrix"
_ENV = {"LC_ALL": "C", "PATH": "/usr/local/bin:/usr/bin:/bin"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """The application's role owns its database and nothing else; the superuser's password stays in HOME."""

    name = "postgres"
    title = "PostgreSQL"

    def __init__(self, home: Home, password: str, owner_password: str) -> None:
        self._home = home
        self._password, self._owner_password = password, owner_password
        self._data = home.postgres / "data"
        self.port = 0

    @property
    def url(self) -> Secret:
        """For clients on this machine."""
        return Secret(f"postgresql://{ROLE}:{self._password}@127.0.0.1:{self.port}/{DATABASE}")

    async def prepare(self) -> Program:
        """Make the database at the first start. Raises `EngineUnavailable`, `OSError`."""
        folder = postgres_folder()
        identity = unprivileged(self._home.postgres, folder / "postgres")
        self._home.postgres.mkdir(mode=0o700, exist_ok=True)
        if identity is not None:
            os.chown(self._home.postgres, identity.uid, identity.gid)
        if self._data.exists():
            await self._check_version(folder)
            self._forget_dead_owner()
        else:
            await self._create(folder, identity)
        self.port = kept_port(self._home, self.name)
        settings = {**_SETTINGS, "port": str(self.port)}
        options = (word for key, value in settings.items() for word in ("-c", f"{key}={value}"))
        return self._program((str(folder / "postgres"), "-D", str(self._data), *options), identity)

    def _program(self, argv: tuple[str, ...], identity: Identity | None, stdin: bytes = b"") -> Program:
        # SIGINT is PostgreSQL's "fast" shutdown: sessions are ended, everything is written.
        fast = signal.SIGINT
        return Program(self.name, argv, _ENV, stdin, identity, stop_signal=fast, orphan_signal=fast, grace=30.0)

    async def _create(self, folder: Path, identity: Identity | None) -> None:
        """Built beside its place and moved there whole: a killed first start leaves nothing half done."""
        fresh = self._home.postgres / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = self._home.postgres / "initdb.password"
        self._home.write_private(password_file, self._owner_password + "\n")
        try:
            if identity is not None:
                os.chown(password_file, identity.uid, identity.gid)
            await self._run(self._program(await self._initdb(folder, fresh, password_file), identity))
        finally:
            password_file.unlink(missing_ok=True)
        statements = (
            f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self._password}'\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE} TEMPLATE template0\n"
        )
        single = (str(folder / "postgres"), "--single", "-D", str(fresh), "postgres")
        await self._run(self._program(single, identity, statements.encode()))
        fresh.rename(self._data)

    async def _initdb(self, folder: Path, data: Path, password_file: Path) -> tuple[str, ...]:
        locale: tuple[str, ...] = ("--locale=C",)
        if await self._major(folder) >= 17:
            locale += ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        login = ("-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password_file}")
        return (str(folder / "initdb"), "-D", str(data), "-E", "UTF8", *login, *locale)

    async def _run(self, program: Program) -> None:
        code, said = await run_once(program, timeout=120)
        if code != 0:
            last = said.splitlines()[-1] if said else f"exit {code}"
            cure = "As root, start BotMatrix as an ordinary user instead, or set database_url"
            raise EngineUnavailable(self.title, f"{Path(program.argv[0]).name}: {last}", cure)

    async def _major(self, folder: Path) -> int:
        _, said = await run_once(Program(self.name, (str(folder / "postgres"), "--version"), _ENV))
        found = re.search(r"(\d+)", said)
        return int(found[1]) if found else 0

    async def _check_version(self, folder: Path) -> None:
        made = (self._data / "PG_VERSION").read_text().strip()
        major = await self._major(folder)
        if made != str(major):
            cure = f"Use that version, or move {self._data} away to start with an empty database"
            raise EngineUnavailable(self.title, f"the data was made by version {made}, this is {major}", cure)

    def _forget_dead_owner(self) -> None:
        """Drop a lock file whose process number belongs to something else now, as after a reboot."""
        lock = self._data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().split()[0])
            with contextlib.suppress(psutil.Error):
                if "postgres" in psutil.Process(pid).name():
                    return
            lock.unlink()

    async def ready(self) -> bool:
        """Whether it answers. Raises `EngineUnavailable` when the password is not the data's."""
        try:
            connection = await asyncpg.connect(str(self.url), timeout=5, ssl=False)
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
            cure = f"Put back the secrets.json that belongs to {self._data}"
            raise EngineUnavailable(self.title, "the data has another password", cure) from error
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ):
            return False
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=2)
        return True
