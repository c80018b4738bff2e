"""The table of routing rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Float, cast, delete, extract, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.routing.rule import Deliver, Fallback, Rule
from botmatrix.store.engine import Database
from botmatrix.store.tables import RoutingRule

LOCK = 0x626F7472  # "botr": one change at a time to the rules
_PAGE = 1000
_ROWS = select(
    RoutingRule.key,
    RoutingRule.target.label("worker_id"),
    RoutingRule.priority,
    RoutingRule.fallback,
    RoutingRule.deliver,
    RoutingRule.disabled,
    cast(extract("epoch", RoutingRule.created_at), Float).label("created"),
)


class StoredRules:
    """Routing rules in PostgreSQL. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Rule]:
        """Every rule by its key, in the order of the keys."""
        async with self._database.session() as session:
            return await _all(session)

    async def rows(self) -> list[dict[str, Any]]:
        """Every rule as plain values, `target` as `worker_id`: what a list of thousands is sorted and searched by."""
        async with self._database.session() as session:
            return [row._asdict() for row in await session.execute(_ROWS)]

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Change]:
        """One change, while no other process changes the rules: kept at the end, undone by an error."""
        async with self._database.session() as session:
            await session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            yield Change(session)


class Change:
    """A change under way."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> dict[str, Rule]:
        """Every rule by its key."""
        return await _all(self._session)

    async def save(self, rules: Iterable[Rule]) -> None:
        """Make these rules, or change those with the same keys; a changed rule keeps its age."""
        rows = [_row(rule) for rule in rules]
        for start in range(0, len(rows), _PAGE):
            statement = insert(RoutingRule).values(rows[start : start + _PAGE])
            kept = ("target", "priority", "fallback", "deliver", "disabled")
            changes: dict[str, Any] = {name: statement.excluded[name] for name in kept}
            changes["updated_at"] = text("now()")
            await self._session.execute(statement.on_conflict_do_update(index_elements=["key"], set_=changes))

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete the rules with these keys."""
        await self._session.execute(delete(RoutingRule).where(RoutingRule.key.in_(list(keys))))


async def _all(session: AsyncSession) -> dict[str, Rule]:
    found = await session.scalars(select(RoutingRule).order_by(RoutingRule.key))
    return {row.key: rule_of(row) for row in found}


def _row(rule: Rule) -> dict[str, Any]:
    created = datetime.fromtimestamp(rule.created, UTC)
    decided = {"target": rule.target, "priority": rule.priority, "fallback": rule.fallback.value}
    how = {"deliver": rule.deliver.value, "disabled": rule.disabled}
    return {"key": rule.key, **decided, **how, "created_at": created}


def rule_of(row: RoutingRule) -> Rule:
    """The rule that a row stands for."""
    return Rule(
        key=row.key,
        target=row.target,
        priority=row.priority,
        fallback=Fallback(row.fallback),
        deliver=Deliver(row.deliver),
        disabled=row.disabled,
        created=row.created_at.timestamp(),
    )
