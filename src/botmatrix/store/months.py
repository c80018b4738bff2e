"""The tables that are parted by month: partitions made ahead, old ones dropped, rows past their time deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PARTED: Final = ("messages", "traces")
PAGE: Final = 5000
"""Rows that one statement deletes."""
_NAME: Final = re.compile(rf"({'|'.join(PARTED)})_(\d{{4}})_(\d{{2}})")


def month_of(moment: datetime) -> datetime:
    """The first moment of its month (UTC)."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(month: datetime) -> datetime:
    """The month that follows."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


async def make(connection: AsyncConnection, months: Iterable[datetime]) -> None:
    """Make the partitions of these months where they are missing."""
    there = set(await partitions(connection))
    for month in sorted(set(months)):
        for table in PARTED:
            name = f"{table}_{month:%Y_%m}"
            if name not in there:
                span = f"FROM ('{month.isoformat()}') TO ('{month_after(month).isoformat()}')"
                await connection.execute(text(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {span}"))


async def partitions(connection: AsyncConnection) -> list[str]:
    """The names of all partitions."""
    found = await connection.execute(
        text(
            "SELECT child.relname FROM pg_inherits "
            "JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent "
            "WHERE parent.relname = ANY(:names) AND pg_table_is_visible(child.oid) ORDER BY 1"
        ),
        {"names": list(PARTED)},
    )
    return [name for name in found.scalars() if _NAME.fullmatch(name)]


async def drop_before(connection: AsyncConnection, table: str, moment: datetime) -> list[str]:
    """Drop the partitions of a table that lie wholly before a moment; gives their names."""
    old = [name for name in await partitions(connection) if name.startswith(table) and _end(name) <= moment]
    for name in old:
        await connection.execute(text(f"DROP TABLE {name}"))
    return old


async def delete_before(connection: AsyncConnection, table: str, moment: datetime) -> int:
    """Delete up to `PAGE` rows of a table that are older than a moment; how many they were."""
    for name in await partitions(connection):
        if name.startswith(table) and _start(name) < moment:
            page = f"SELECT ctid FROM {name} WHERE at < :moment LIMIT {PAGE}"  # noqa: S608 - a name of ours
            gone = await connection.execute(
                text(f"DELETE FROM {name} WHERE ctid = ANY(ARRAY({page}))"),  # noqa: S608
                {"moment": moment},
            )
            if gone.rowcount:
                return gone.rowcount
    return 0


def _start(name: str) -> datetime:
    found = _NAME.fullmatch(name)
    assert found is not None  # noqa: S101 - only such names are asked for
    return datetime(int(found[2]), int(found[3]), 1, tzinfo=UTC)


def _end(name: str) -> datetime:
    return month_after(_start(name))
