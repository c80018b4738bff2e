"""The operation log: who changed what. Rows are only ever added, until they are too old."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, String, cast, delete, func, or_, select

from botmatrix.store.engine import Database
from botmatrix.store.masking import storable
from botmatrix.store.tables import Operation
from botmatrix.store.text import line
from botmatrix.store.together import Together

SORTS: Final = ("at", "who", "what", "object", "address")
"""Columns by which the log can be read."""
_COLUMNS: Final = ("who", "via", "what", "object", "address", "before", "after")
_WRITE: Final = (
    "INSERT INTO audit (who, via, what, object, address, before, after)"
    " SELECT who, via, what, object, address, before::jsonb, after::jsonb"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])"
    " AS given (who, via, what, object, address, before, after)"
)
_SEARCHED: Final = (Operation.who, Operation.via, Operation.what, Operation.object, Operation.address)


@dataclass(frozen=True, slots=True)
class Change:
    """What there is to write down. `before` and `after` may hold secrets: they are masked when it is written."""

    who: str
    via: str
    what: str
    object: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    address: str = ""


class Operations:
    """The table `audit`. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing = Together(self._write_all)

    async def write(self, change: Change) -> None:
        """Add one row. Whatever the change holds, it can be stored."""
        await self._writing.ask(change)

    async def _write_all(self, changes: Sequence[Change]) -> Sequence[None]:
        fields = [_fields(one) for one in changes]
        texts = [[_text(one[name]) for one in fields] for name in _COLUMNS]
        await self._database.rows(_WRITE, *texts)
        return [None] * len(changes)

    async def forget(self, before: datetime, *, most: int) -> int:
        """Drop the rows that were written before this moment, at most so many, the oldest first; says how many."""
        old = select(Operation.id).where(Operation.at < before).order_by(Operation.at).limit(most)
        async with self._database.session() as session:
            gone = await session.execute(delete(Operation).where(Operation.id.in_(old)).returning(Operation.id))
            return len(gone.all())

    async def list(
        self, *, query: str = "", sort: str = "-at", limit: int = 50, offset: int = 0
    ) -> tuple[Sequence[Operation], int]:
        """A page of the rows in which `query` occurs in any text, and how many there are in all.

        `sort`: one of `SORTS`, with a leading - for descending.
        """
        where = _contains(query.replace("\0", ""))
        page = select(Operation).where(where).order_by(*_order(sort)).limit(limit).offset(offset)
        async with self._database.session() as session:
            total = await session.scalar(select(func.count()).select_from(Operation).where(where))
            return (await session.scalars(page)).all(), total or 0


def row_of(change: Change) -> Operation:
    """The row of a change, for whoever writes it in the transaction of the change itself."""
    return Operation(**_fields(change))


def _fields(change: Change) -> dict[str, Any]:
    return {
        "who": line(change.who, 128),
        "via": line(change.via, 128),
        "what": line(change.what, 128),
        "object": line(change.object, 256),
        "before": storable(change.before),
        "after": storable(change.after),
        "address": line(change.address, 64),
    }


def _text(value: str | dict[str, Any] | None) -> str | None:
    return json.dumps(value) if isinstance(value, dict) else value


def _contains(query: str) -> ColumnElement[bool]:
    """Case counts for nothing, % and _ stand for themselves."""
    texts = [*_SEARCHED, cast(Operation.before, String), cast(Operation.after, String)]
    return or_(*(column.icontains(query, autoescape=True) for column in texts))


def _order(sort: str) -> list[ColumnElement[Any]]:
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise ValueError(f"no such order: {name}")
    column = {one: getattr(Operation, one) for one in SORTS}[name]
    return [one.desc() if sort.startswith("-") else one.asc() for one in (column, Operation.id)]
