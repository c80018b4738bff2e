"""The tables in PostgreSQL for commands that change them, and the operation log that says who did."""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from botmatrix.config import Settings

if TYPE_CHECKING:
    from botmatrix.store.engine import Database

State = dict[str, Any] | None
Note = Callable[..., Awaitable[None]]
"""`await note(what, object, before=..., after=...)` writes a change down."""


@asynccontextmanager
async def tables_of(settings: Settings) -> AsyncIterator[tuple[Database, Note]]:
    """A database whose tables are up to date, and what writes a change into the operation log.

    A database without tables gets them first. Raises `SchemaTooOld`, `SchemaTooNew`.
    """
    from botmatrix.store.engine import Database
    from botmatrix.store.migrate import ensure
    from botmatrix.store.operations import Change, Operations

    await ensure(str(settings.database_url), part="cli")
    database = Database(str(settings.database_url), part="cli")

    async def note(what: str, whom: str, *, before: State = None, after: State = None) -> None:
        await Operations(database).write(Change(caller(), "cli", what, whom, before, after))

    try:
        yield database, note
    finally:
        await database.close()


def caller() -> str:
    """Who runs this command, as the operation log names them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError, ImportError):  # a user id without a name
        return f"cli:{os.getuid()}"
