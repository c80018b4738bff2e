"""The judge's configuration, kept where it outlives Redis."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from botmatrix.store.engine import Database
from botmatrix.store.tables import CoreDocument

_ONE: Final = 1


class CoreDocuments:
    """One row. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> CoreDocument | None:
        """The row; None before the first change."""
        async with self._database.session() as session:
            return (await session.scalars(select(CoreDocument))).one_or_none()

    async def save(self, version: int, document: str, by: str) -> bool:
        """Put a newer version in place; False when this one or a newer one is there already."""
        values = {"version": version, "document": document, "updated_by": by}
        fresh = insert(CoreDocument).values(id=_ONE, **values)
        newer = fresh.on_conflict_do_update(
            index_elements=[CoreDocument.id],
            set_={**values, "updated_at": func.now()},
            where=CoreDocument.version < version,
        )
        async with self._database.session() as session:
            saved = await session.execute(newer.returning(CoreDocument.version))
            return saved.scalar() is not None
