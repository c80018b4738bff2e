"""Reading the history: what was said, and what became of each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import aliased

from botmatrix.store.engine import Database
from botmatrix.store.grams import grams
from botmatrix.store.tables import Message, Trace

COUNTED: Final = 10_000
"""Up to this many matches are counted, and can be paged through; who needs more narrows the time."""
WINDOW: Final = 20_000
"""Rows in which a text is looked for one by one: what is said often is found there, what is not by the index."""
SEARCHED: Final = 1000
"""Messages with a text whose traces are looked at."""


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
        """A page of messages, and how many there are in all, counted up to `COUNTED`.

        With `q` only as far as is needed to say whether there is another page.
        """
        where = _common(Message, wanted)
        if wanted.direction:
            where.append(Message.direction == wanted.direction)
        if not (q := _storable(wanted.q)):
            return await self._page(Message, where, Message.id, wanted)
        last = wanted.offset + wanted.limit
        found = await self._search(where, q, min(last, COUNTED) + 1, oldest_first=wanted.oldest_first)
        return found[wanted.offset : last], len(found)

    async def traces(self, wanted: Wanted) -> tuple[Sequence[Trace], int]:
        """A page of traces, and how many there are in all, counted up to `COUNTED`.

        With `q` of the newest `SEARCHED` messages that have it.
        """
        where = _common(Trace, wanted)
        if q := _storable(wanted.q):
            margin = timedelta(seconds=1)  # a trace has the second of its event, a message the millisecond
            said = [Message.at >= wanted.start - margin, Message.at <= wanted.end + margin]
            found = await self._search(said, q, SEARCHED, oldest_first=wanted.oldest_first)
            where.append(Trace.event_id.in_([message.event_id for message in found]))
        if wanted.outcome is not None:
            where.append(Trace.outcome == wanted.outcome)
        return await self._page(Trace, where, Trace.event_id, wanted)

    async def trace(self, event_id: str, second: datetime) -> Trace | None:
        """The trace of one event, whose id names this second; None when there is none."""
        query = select(Trace).where(Trace.event_id == event_id, Trace.at == second)
        async with self._database.session() as session:
            return (await session.scalars(query)).one_or_none()

    async def _search(
        self, where: list[ColumnElement[bool]], q: str, count: int, *, oldest_first: bool
    ) -> Sequence[Message]:
        """The first so many messages with a text. What has no numbers to look it up by is sought in `WINDOW` only."""

        def first(table: Any) -> Any:
            order = (table.at, table.id) if oldest_first else (table.at.desc(), table.id.desc())
            return select(table).order_by(*order)

        near = aliased(Message, first(Message).where(*where).limit(WINDOW).subquery())
        numbers = grams(q)
        async with self._database.session() as session:
            found = (await session.scalars(first(near).where(_has(near, q)).limit(count))).all()
            if len(found) >= count or not numbers:
                return found
            # Apart, or the planner may go through all rows in their order, hoping to meet some soon.
            hits = select(Message).where(*where, Message.grams.contains(numbers), _has(Message, q)).cte("hits")
            far = aliased(Message, hits.prefix_with("MATERIALIZED"))
            return (await session.scalars(first(far).limit(count))).all()

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


def _has(table: Any, q: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = table.text.icontains(q, autoescape=True)
    return found


def _storable(value: str) -> str:
    return value.replace("\0", "")
