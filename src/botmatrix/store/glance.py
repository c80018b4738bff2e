"""A quick look at the settings in the database, for the start of any part: nothing but the driver is loaded."""

from __future__ import annotations

import asyncio
import json

import asyncpg

from botmatrix.config import Stored
from botmatrix.errors import EngineUnavailable

PATIENCE = 2.0
"""Seconds for the whole look."""


async def glance(url: str) -> Stored | None:
    """What the database holds; None when it has no such table yet. Raises `EngineUnavailable`."""
    try:
        async with asyncio.timeout(PATIENCE):
            connection = await asyncpg.connect(url, timeout=PATIENCE)
            try:
                if await connection.fetchval("SELECT to_regclass('settings')") is None:
                    return None
                rows = await connection.fetch("SELECT key, generated, value FROM settings")
            finally:
                await connection.close(timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise EngineUnavailable("PostgreSQL", str(error) or "no answer") from error
    return Stored(
        {row["key"]: json.loads(row["value"]) for row in rows if not row["generated"]},
        {row["key"]: json.loads(row["value"]) for row in rows if row["generated"]},
    )
