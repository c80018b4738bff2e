"""Bring the schema up to date: in one transaction, one process at a time, never backwards.

A process killed half-way leaves the schema as it was; the next start runs the steps again.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from botmatrix.errors import BotMatrixError
from botmatrix.store.engine import Database

_FOLDER: Final = Path(__file__).with_name("migrations")
_LOCK: Final = 0x626F746D  # any number that nobody else takes: "botm"
_PATIENCE: Final = 3600.0


class SchemaTooNew(BotMatrixError):
    """The database was written by a newer version; this one must not touch it."""

    exit_code: ClassVar[int] = 78

    def __init__(self, found: str, known: str) -> None:
        self.found, self.known = found, known
        super().__init__(
            f"the database has schema {found}, this version knows up to {known}: nothing was changed. "
            "Start the newer version of BotMatrix, or restore a backup made with this one"
        )


class SchemaTooOld(BotMatrixError):
    """The database is in use by an older version; whoever asks for it may bring it up to date."""

    exit_code: ClassVar[int] = 78

    def __init__(self, found: str, known: str) -> None:
        self.found, self.known = found, known
        super().__init__(
            f"the database has schema {found}, this version needs {known}. "
            "Run `botmatrix db upgrade`, or start this version's control, which does the same"
        )


async def ensure(url: str, *, part: str) -> None:
    """Make the tables in a database that has none; one that has them must be up to date.

    Raises `SchemaTooOld`, `SchemaTooNew`, `EngineUnavailable`.
    """
    database = Database(url, part=part)
    try:
        async with database.connection() as connection:
            found, known = await connection.run_sync(_state)
    finally:
        await database.close()
    if found is None:
        await upgrade(url, part=part)
    elif found != known:
        raise SchemaTooOld(found, known)


async def upgrade(url: str, *, part: str) -> list[str]:
    """Take every step that is missing; the steps taken, oldest first. Waits while another process does it.

    Raises `SchemaTooNew`, `EngineUnavailable`.
    """
    database = Database(url, part=part, patience=_PATIENCE)
    try:
        async with database.connection() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            return await connection.run_sync(_upgrade)
    finally:
        await database.close()


def known_schemas() -> list[str]:
    """The numbers of all schemas that this version knows, the newest first."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]


def _upgrade(connection: Connection) -> list[str]:
    before = _current(connection)
    config = _config(connection)
    command.upgrade(config, "head")
    steps = ScriptDirectory.from_config(config).iterate_revisions("head", before or "base")
    return [step.revision for step in reversed(list(steps))]


def _state(connection: Connection) -> tuple[str | None, str]:
    """The schema's number, None for an empty database, and the newest one. Raises `SchemaTooNew`."""
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return _current(connection), str(head)


def _current(connection: Connection) -> str | None:
    """The schema's number, None for an empty database. Raises `SchemaTooNew`."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    scripts = ScriptDirectory.from_config(_config(connection))
    known = [step.revision for step in scripts.walk_revisions()]
    if found is not None and found not in known:
        raise SchemaTooNew(found, known[0])
    return found


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
