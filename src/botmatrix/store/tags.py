"""Tags: names on groups and friends, by which tasks reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from botmatrix.store.engine import Database
from botmatrix.store.skill_tables import Tag
from botmatrix.store.tasks import TooManyTasks
from botmatrix.tasks.model import TargetType

MOST_TAGS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Tagged:
    """One tag on one group or friend."""

    name: str
    platform: str
    type: TargetType
    target_id: str


class Tags:
    """Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tagged: Tagged) -> bool:
        """False: it is there already. Raises `TooManyTasks`."""
        values = {name: getattr(tagged, name) for name in ("name", "platform", "type", "target_id")}
        async with self._database.session() as session:
            if (await session.scalar(select(func.count()).select_from(Tag)) or 0) >= MOST_TAGS:
                raise TooManyTasks(MOST_TAGS, "tags")
            made = insert(Tag).values(values).on_conflict_do_nothing(constraint="tags_once").returning(Tag.id)
            return await session.scalar(made) is not None

    async def remove(self, tagged: Tagged) -> bool:
        """False: there was none."""
        same = (
            (Tag.name == tagged.name)
            & (Tag.platform == tagged.platform)
            & (Tag.type == tagged.type)
            & (Tag.target_id == tagged.target_id)
        )
        async with self._database.session() as session:
            return await session.scalar(delete(Tag).where(same).returning(Tag.id)) is not None

    async def find(self, *, q: str, limit: int, offset: int) -> tuple[Sequence[Tag], int]:
        """Tags by name, and how many there are in all. `q`: part of a name, or of the id that it is on."""
        q = q.replace("\0", "")
        where = or_(Tag.name.icontains(q, autoescape=True), Tag.target_id.icontains(q, autoescape=True))
        order = (Tag.name, Tag.platform, Tag.type, Tag.target_id)
        async with self._database.session() as session:
            total = await session.scalar(select(func.count()).select_from(Tag).where(where))
            page = select(Tag).where(where).order_by(*order).limit(limit).offset(offset)
            return (await session.scalars(page)).all(), total or 0
