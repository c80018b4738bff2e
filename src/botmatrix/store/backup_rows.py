"""Rows of a backup on their way into a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg

from botmatrix.store.backup_file import Reader

Connection = Any
REFUSALS: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.SyntaxOrAccessError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.PLPGSQLError,
)
"""What PostgreSQL answers to rows or statements that do not fit; not that it is away."""


async def fill(
    connection: Connection, reader: Reader, name: str, place: tuple[str | None, str], columns: list[str]
) -> None:
    """Stream the rows that come next in the file, called `name` there, into a table (`place`: its schema and name).

    Raises `BadBackup`.
    """
    schema, table = place

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in reader.rows(name):
            yield chunk

    try:
        await connection.copy_to_table(table, schema_name=schema, source=chunks(), columns=columns)
    except REFUSALS as error:
        raise reader.bad(f"the table {table} does not take its rows ({type(error).__name__})") from error
