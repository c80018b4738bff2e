"""Writing the history: one writer at a time, each batch with the position up to which it goes, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, case, cast, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from botmatrix.store import months
from botmatrix.store.engine import Database
from botmatrix.store.tables import Message, Trace, TracePosition

_LOCK: Final = 0x74726163  # any number that nobody else takes: "trac"
_ONE: Final = 1
_MOST_PARTS: Final = 64 * 1024
"""Bytes of reports about one event, from which on no more are added."""
AHEAD: Final = timedelta(days=1)
"""How far a clock may be ahead of this one."""

Row = dict[str, Any]


@dataclass(slots=True)
class Batch:
    """Rows of both tables; `position`: the last entry that they hold, `0-0` before the first."""

    position: str = "0-0"
    traces: Sequence[Row] = field(default_factory=list)
    messages: Sequence[Row] = field(default_factory=list)


class HistoryLog:
    """The tables `messages` and `traces`, for their writer. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: set[datetime] = set()

    async def advance(self, read: Callable[[str], Awaitable[Batch]], oldest: datetime, now: datetime) -> int | None:
        """Write what `read(position)` gives, and its position, in one transaction; how many rows went in.

        None when another process is at it. Rows older than `oldest`, or of a day to come, are left out.
        """
        async with self._database.connection() as connection:
            if not await _turn(connection):
                return None
            found = await connection.scalar(select(TracePosition.entry))
            batch = await read(found or "0-0")
            if batch.position == found:
                return 0
            traces = _within(batch.traces, oldest, now)
            messages = _within(batch.messages, oldest, now)
            months_made = await self._make_months(connection, [*traces, *messages], now)
            await _write(connection, traces, messages)
            await connection.execute(_moved(batch.position))
        self._made |= months_made
        return len(traces) + len(messages)

    async def forget(self, table: str, before: datetime) -> int | None:
        """Drop whole months before a moment, then delete a page of what is left; rows deleted, None: not our turn."""
        async with self._database.connection() as connection:
            if not await _turn(connection):
                return None
            await months.drop_before(connection, table, before)
            deleted = await months.delete_before(connection, table, before)
        self._made.clear()
        return deleted

    async def _make_months(self, connection: AsyncConnection, rows: Sequence[Row], now: datetime) -> set[datetime]:
        month = months.month_of(now)
        wanted = {month, months.month_after(month), *(months.month_of(row["at"]) for row in rows)}
        if new := wanted - self._made:
            await months.make(connection, new)
        return new


def _within(rows: Sequence[Row], oldest: datetime, now: datetime) -> list[Row]:
    return [row for row in rows if oldest <= row["at"] <= now + AHEAD]


async def _turn(connection: AsyncConnection) -> bool:
    return bool(await connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")))


async def _write(connection: AsyncConnection, traces: Sequence[Row], messages: Sequence[Row]) -> None:
    if traces:
        await connection.execute(_UPSERT, traces)
    if messages:
        await connection.execute(_SAID, messages)


def _moved(position: str) -> Any:
    row = insert(TracePosition).values(id=_ONE, entry=position)
    return row.on_conflict_do_update(index_elements=[TracePosition.id], set_={"entry": position})


_fresh = insert(Trace)
_new = _fresh.excluded


def _known(name: str) -> ColumnElement[Any]:
    """The new value, unless it says nothing."""
    return func.coalesce(func.nullif(getattr(_new, name), ""), getattr(Trace, name))


_size = func.length(cast(Trace.parts, Text))
_UPSERT: Final = _fresh.on_conflict_do_update(
    index_elements=[Trace.event_id, Trace.at],
    set_={
        **{
            name: _known(name)
            for name in ("bot", "conv", "user_id", "group_id", "kind", "text", "rule", "worker", "reason")
        },
        "outcome": func.greatest(Trace.outcome, _new.outcome),
        "parts": case((_size < _MOST_PARTS, Trace.parts.concat(_new.parts)), else_=Trace.parts),
    },
)
_line = insert(Message)
_SAID: Final = _line.on_conflict_do_update(
    index_elements=[Message.id, Message.at],
    set_={"state": _line.excluded.state, "message_id": _line.excluded.message_id},
)


def moment(ms: int) -> datetime:
    """A moment from ms of unix time; the earliest there is for a number that is none."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
