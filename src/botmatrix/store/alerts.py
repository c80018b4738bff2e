"""Alert rules, and the alerts they raised: each raised once, ended once, told at least once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.errors import BotMatrixError
from botmatrix.store.engine import Database
from botmatrix.store.tables import Alert, AlertRule

MOST_RULES: Final = 100
TRIES: Final = 8
"""Tries to tell one change; the pauses double from 10 s."""
_FIRST_PAUSE: Final = 10
_KEPT_DAYS: Final = 90
_LOCK: Final = 0x616C6572  # any number that nobody else takes: "aler"


class UnknownAlertRule(BotMatrixError):
    """There is no such rule."""

    def __init__(self) -> None:
        super().__init__("there is no alert rule with this id")


class TooManyAlertRules(BotMatrixError):
    """There are as many rules as there may be."""

    def __init__(self) -> None:
        super().__init__(f"there may be {MOST_RULES} alert rules: delete one that is not used any more")


class Raised(NamedTuple):
    """An alert and the rule that raised it."""

    alert: Alert
    rule: AlertRule


class Alerts:
    """The tables `alert_rules` and `alerts`. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules(self) -> Sequence[AlertRule]:
        """Every rule, the oldest first."""
        async with self._database.session() as session:
            return (await session.scalars(select(AlertRule).order_by(AlertRule.id))).all()

    async def rule(self, rule_id: int) -> AlertRule:
        """One rule. Raises `UnknownAlertRule`."""
        async with self._database.session() as session:
            return await _rule(session, rule_id)

    async def create(self, values: Mapping[str, Any]) -> AlertRule:
        """A new rule. Raises `TooManyAlertRules`."""
        rule = AlertRule(**values)
        async with self._database.session() as session:
            if (await session.scalar(select(func.count()).select_from(AlertRule)) or 0) >= MOST_RULES:
                raise TooManyAlertRules
            session.add(rule)
            await session.flush()
            await session.refresh(rule)
        return rule

    async def edit(self, rule_id: int, values: Mapping[str, Any]) -> AlertRule:
        """Change a rule. Raises `UnknownAlertRule`."""
        async with self._database.session() as session:
            rule = await _rule(session, rule_id)
            for name, value in values.items():
                setattr(rule, name, value)
        return rule

    async def delete(self, rule_id: int) -> AlertRule:
        """Drop a rule and the alerts it raised. Raises `UnknownAlertRule`."""
        async with self._database.session() as session:
            rule = await _rule(session, rule_id)
            await session.execute(delete(AlertRule).where(AlertRule.id == rule_id))
        return rule

    async def raised(self, *, limit: int, offset: int) -> tuple[list[Raised], int]:
        """A page of the alerts, those that last still and then the newest first; and how many there are in all."""
        order = (Alert.ended_at.is_not(None), Alert.started_at.desc(), Alert.id.desc())
        page = select(Alert, AlertRule).join(AlertRule, AlertRule.id == Alert.rule_id).order_by(*order)
        async with self._database.session() as session:
            total = await session.scalar(select(func.count()).select_from(Alert))
            rows = (await session.execute(page.limit(limit).offset(offset))).all()
        return [Raised(*row) for row in rows], total or 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn | None]:
        """One transaction in which nobody else raises or ends alerts; None when somebody else is at it."""
        async with self._database.session() as session:
            free = await session.scalar(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})"))
            yield Turn(session) if free else None

    async def claim(self, most: int) -> list[Raised]:
        """Changes that are to be told now; each is tried again later, unless `told` says that it was told."""
        due = Alert.untold & (Alert.next_try_at <= func.now()) & (Alert.tries < TRIES)
        mine = select(Alert.id).where(due).order_by(Alert.next_try_at).limit(most).with_for_update(skip_locked=True)
        pause = text(f"interval '{_FIRST_PAUSE} seconds'") * func.power(2, Alert.tries)
        async with self._database.session() as session:
            ids = (await session.scalars(mine)).all()
            later = {"tries": Alert.tries + 1, "next_try_at": func.now() + pause}
            await session.execute(update(Alert).where(Alert.id.in_(ids)).values(later))
            query = select(Alert, AlertRule).join(AlertRule, AlertRule.id == Alert.rule_id).where(Alert.id.in_(ids))
            return [Raised(*row) for row in await session.execute(query)]

    async def told(self, alert: Alert, problem: str = "") -> None:
        """This change was told, or could not be. A change that came meanwhile is still to be told."""
        same = (Alert.id == alert.id) & Alert.ended_at.is_not_distinct_from(alert.ended_at)
        async with self._database.session() as session:
            await session.execute(update(Alert).where(same).values(untold=bool(problem), problem=problem[:200]))


class Turn:
    """Changes of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def rules(self) -> Sequence[AlertRule]:
        """The rules."""
        return (await self._session.scalars(select(AlertRule).order_by(AlertRule.id))).all()

    async def bring(self, rule: AlertRule, wrong: Mapping[str, str], now: datetime) -> None:
        """Raise what is wrong and was not, end what is not wrong any more."""
        mine = select(Alert).where(Alert.rule_id == rule.id, Alert.ended_at.is_(None))
        lasting = {one.subject: one for one in await self._session.scalars(mine)}
        for subject, one in lasting.items():
            if subject not in wrong:
                one.ended_at, one.untold, one.tries, one.next_try_at = now, True, 0, now
        fresh = [{"rule_id": rule.id, "subject": s, "words": w} for s, w in wrong.items() if s not in lasting]
        if fresh:
            defaults = {"untold": True, "tries": 0, "started_at": now, "next_try_at": now}
            await self._session.execute(insert(Alert).values([{**one, **defaults} for one in fresh]))

    async def forget(self, now: datetime) -> None:
        """Drop alerts that ended long ago."""
        await self._session.execute(delete(Alert).where(Alert.ended_at < now - timedelta(days=_KEPT_DAYS)))


async def _rule(session: AsyncSession, rule_id: int) -> AlertRule:
    rule = await session.get(AlertRule, rule_id)
    if rule is None:
        raise UnknownAlertRule
    return rule
