"""Bots and groups that were seen: written in bounded batches by one process at a time, read as lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.store.engine import Database
from botmatrix.store.tables import BotGroup, SeenBot, SeenGroup

BATCH: Final = 500
"""Rows in one statement."""
_LOCK: Final = 0x7365656E  # any number that nobody else takes: "seen"
GROUP_SORTS: Final = ("group", "name", "first_seen", "last_seen")


class Said(NamedTuple):
    """What a bot's client says of itself, and where it connects from."""

    nickname: str = ""
    user_agent: str = ""
    remote: str = ""


class Counted(NamedTuple):
    """What one nexus counted of a bot since it started."""

    received: int = 0
    sent: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class BotFacts:
    """What a nexus says of a bot now. `mark`: which list of its groups was written last."""

    platform: str
    self_id: str
    nexus: str
    last_seen: datetime
    mark: str
    said: Said
    counted: Counted


class GroupRow(NamedTuple):
    """A group and the ids (`platform:self_id`) of the bots that are in it."""

    group: SeenGroup
    bots: list[str]


class Seen:
    """The tables `bots`, `groups` and `bot_groups`. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn | None]:
        """One transaction in which nobody else writes; None when somebody else is at it."""
        async with self._database.session() as session:
            free = await session.scalar(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})"))
            yield Turn(session) if free else None

    async def bots(self) -> list[dict[str, Any]]:
        """Every bot, as plain rows: there may be thousands."""
        columns = [getattr(SeenBot, name) for name in _SHOWN]
        async with self._database.session() as session:
            return [dict(row._mapping) for row in await session.execute(select(*columns))]

    async def some_bots(self, bots: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of these bots (`platform:self_id`) that were seen."""
        columns = [getattr(SeenBot, name) for name in _SHOWN]
        keys = [tuple(bot.partition(":")[::2]) for bot in bots if "\0" not in bot]
        query = select(*columns).where(tuple_(SeenBot.platform, SeenBot.self_id).in_(keys))
        async with self._database.session() as session:
            rows = [dict(row._mapping) for row in await session.execute(query)]
        return {f"{row['platform']}:{row['self_id']}": row for row in rows}

    async def bot_fields(self, fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Every bot that was seen (`platform:self_id`), with these fields only."""
        columns = [getattr(SeenBot, name) for name in fields]
        async with self._database.session() as session:
            rows = await session.execute(select(SeenBot.platform, SeenBot.self_id, *columns))
            return {f"{row[0]}:{row[1]}": dict(zip(fields, row[2:], strict=True)) for row in rows}

    async def bot(self, platform: str, self_id: str) -> dict[str, Any] | None:
        """One bot."""
        columns = [getattr(SeenBot, name) for name in _SHOWN]
        query = select(*columns).where(SeenBot.platform == platform, SeenBot.self_id == self_id)
        async with self._database.session() as session:
            row = (await session.execute(query)).one_or_none()
        return dict(row._mapping) if row is not None else None

    async def groups(
        self, *, query: str = "", sort: str = "group", limit: int = 50, offset: int = 0
    ) -> tuple[list[GroupRow], int]:
        """A page of the groups in whose id or name `query` occurs, and how many there are in all."""
        where = _contains(query.replace("\0", ""))
        page = select(SeenGroup).where(where).order_by(*_order(sort)).limit(limit).offset(offset)
        async with self._database.session() as session:
            total = await session.scalar(select(func.count()).select_from(SeenGroup).where(where))
            found = (await session.scalars(page)).all()
            members = await _members(session, found)
        return [GroupRow(one, members.get((one.platform, one.group_id), [])) for one in found], total or 0


_COUNTERS: Final = Counted._fields


class Turn:
    """Writes of one transaction. At most `BATCH` bots or groups at a time."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def write_bots(self, facts: Sequence[BotFacts]) -> dict[tuple[str, str], str]:
        """Add what each nexus counted since the last time; (platform, self_id) -> the mark of its list of groups.

        A nexus whose counter is lower than it was has forgotten the bot: it counts from 0 again.
        """
        if not facts:
            return {}
        fresh = insert(SeenBot).values([_row(one) for one in facts])
        new = fresh.excluded
        same = SeenBot.nexus == new.nexus
        counted = {f"nexus_{name}": new[f"nexus_{name}"] for name in _COUNTERS}
        totals = {name: getattr(SeenBot, name) + _added(name, same, new) for name in _COUNTERS}
        facts_now = {name: new[name] for name in ("nickname", "user_agent", "remote", "nexus")}
        last_seen = func.greatest(SeenBot.last_seen, new.last_seen)
        changed = fresh.on_conflict_do_update(
            index_elements=[SeenBot.platform, SeenBot.self_id],
            set_={**facts_now, **totals, **counted, "last_seen": last_seen},
        ).returning(SeenBot.platform, SeenBot.self_id, SeenBot.groups_mark)
        return {(row[0], row[1]): row[2] for row in await self._session.execute(changed)}

    async def write_groups(self, groups: Iterable[tuple[str, str, str]], now: datetime) -> None:
        """Groups (platform, id, name) were seen now; an empty name leaves a known one."""
        rows = [{"platform": p, "group_id": g, "name": n, "last_seen": now} for p, g, n in groups]
        for start in range(0, len(rows), BATCH):
            fresh = insert(SeenGroup).values(rows[start : start + BATCH])
            name = case((fresh.excluded.name == "", SeenGroup.name), else_=fresh.excluded.name)
            await self._session.execute(
                fresh.on_conflict_do_update(
                    index_elements=[SeenGroup.platform, SeenGroup.group_id], set_={"name": name, "last_seen": now}
                )
            )

    async def write_list(self, platform: str, self_id: str, groups: Sequence[str], mark: str) -> None:
        """A bot is in these groups and no others."""
        mine = and_(BotGroup.platform == platform, BotGroup.self_id == self_id)
        await self._session.execute(delete(BotGroup).where(mine))
        rows = [{"platform": platform, "self_id": self_id, "group_id": one} for one in groups]
        for start in range(0, len(rows), BATCH):
            await self._session.execute(insert(BotGroup).values(rows[start : start + BATCH]))
        bot = and_(SeenBot.platform == platform, SeenBot.self_id == self_id)
        await self._session.execute(update(SeenBot).where(bot).values(groups_mark=mark))


_SHOWN: Final = (
    *("platform", "self_id", "nickname", "user_agent", "remote", "first_seen", "last_seen"),
    *(*_COUNTERS, "nexus", "nexus_received", "nexus_sent", "nexus_failed"),
)


def _row(one: BotFacts) -> dict[str, Any]:
    counters = one.counted._asdict()
    return {
        **{"platform": one.platform, "self_id": one.self_id, "nexus": one.nexus, "last_seen": one.last_seen},
        **one.said._asdict(),
        **counters,
        **{f"nexus_{name}": value for name, value in counters.items()},
    }


def _added(name: str, same: ColumnElement[bool], new: Any) -> ColumnElement[int]:
    """How much of a counter was not added yet."""
    now, before = new[f"nexus_{name}"], getattr(SeenBot, f"nexus_{name}")
    return case((and_(same, now >= before), now - before), else_=now)


async def _members(session: AsyncSession, groups: Sequence[SeenGroup]) -> dict[tuple[str, str], list[str]]:
    wanted = [(one.platform, one.group_id) for one in groups]
    if not wanted:
        return {}
    query = select(BotGroup).where(tuple_(BotGroup.platform, BotGroup.group_id).in_(wanted)).order_by(BotGroup.self_id)
    found: dict[tuple[str, str], list[str]] = {}
    for one in await session.scalars(query):
        found.setdefault((one.platform, one.group_id), []).append(f"{one.platform}:{one.self_id}")
    return found


def _contains(query: str) -> ColumnElement[bool]:
    """Case counts for nothing, % and _ stand for themselves."""
    name = SeenGroup.platform + ":" + SeenGroup.group_id
    return or_(name.icontains(query, autoescape=True), SeenGroup.name.icontains(query, autoescape=True))


def _order(sort: str) -> list[ColumnElement[Any]]:
    name = sort.removeprefix("-")
    columns: dict[str, list[Any]] = {
        "group": [SeenGroup.platform, SeenGroup.group_id],
        "name": [SeenGroup.name],
        "first_seen": [SeenGroup.first_seen],
        "last_seen": [SeenGroup.last_seen],
    }
    order = [*columns[name], SeenGroup.platform, SeenGroup.group_id]
    return [one.desc() if sort.startswith("-") else one.asc() for one in order]
