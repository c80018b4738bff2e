"""Reading the history: what was said, and what became of each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select

from botmatrix.store.engine import Database
from botmatrix.store.grams import grams
from botmatrix.store.tables import Message, Trace

COUNTED: Final = 10_000
"""Up to this many matches are counted, and can be paged through; who needs more narrows the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for. Empty texts ask for nothing; `q` is a part of the text, in any case."""

    start: datetime
    end: datetime
    bot: str = ""
    user: str = ""
    group: str = ""
    q: str = ""
    direction: str = ""
    outcome: int | None = None
    oldest_first: bool = False
    limit: int = 50
    offset: int = 0


class History:
    """The tables `messages` and `traces`, for who asks. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def messages(self, wanted: Wanted) -> tuple[Sequence[Message], int]:
        """A page of messages, and how many there are in all, counted up to `COUNTED`."""
        where = [*_common(Message, wanted), *_containing(wanted.q)]
        if wanted.direction:
            where.append(Message.direction == wanted.direction)
        return await self._page(Message, where, Message.id, wanted)

    async def traces(self, wanted: Wanted) -> tuple[Sequence[Trace], int]:
        """A page of traces, and how many there are in all, counted up to `COUNTED`."""
        where = _common(Trace, wanted)
        if wanted.q:
            margin = timedelta(seconds=1)  # a trace has the second of its event, a message the millisecond
            said = select(Message.event_id).where(
                Message.at.between(wanted.start - margin, wanted.end + margin), *_containing(wanted.q)
            )
            where.append(Trace.event_id.in_(said))
        if wanted.outcome is not None:
            where.append(Trace.outcome == wanted.outcome)
        return await self._page(Trace, where, Trace.event_id, wanted)

    async def trace(self, event_id: str, second: datetime) -> Trace | None:
        """The trace of one event, whose id names this second; None when there is none."""
        query = select(Trace).where(Trace.event_id == event_id, Trace.at == second)
        async with self._database.session() as session:
            return (await session.scalars(query)).one_or_none()

    async def _page(self, table: Any, where: list[ColumnElement[bool]], key: Any, wanted: Wanted) -> tuple[Any, int]:
        order = (table.at, key) if wanted.oldest_first else (table.at.desc(), key.desc())
        page = select(table).where(*where).order_by(*order).limit(wanted.limit).offset(wanted.offset)
        async with self._database.session() as session:
            total = await session.scalar(_counting(key, where))
            rows = (await session.scalars(page)).all() if wanted.offset < COUNTED else []
            return rows, int(total or 0)


def _counting(key: Any, where: list[ColumnElement[bool]]) -> Select[int]:
    some = select(key).where(*where).limit(COUNTED).subquery()
    return select(func.count()).select_from(some)


def _common(table: Any, wanted: Wanted) -> list[ColumnElement[bool]]:
    where = [table.at >= wanted.start, table.at <= wanted.end]
    fields = ((table.bot, wanted.bot), (table.user_id, wanted.user), (table.group_id, wanted.group))
    return where + [column == _storable(value) for column, value in fields if value]


def _containing(q: str) -> list[ColumnElement[bool]]:
    q = _storable(q)
    if not q:
        return []
    found = [Message.text.icontains(q, autoescape=True)]
    if numbers := grams(q):
        found.append(Message.grams.contains(numbers))
    return found


def _storable(value: str) -> str:
    return value.replace("\0", "")
