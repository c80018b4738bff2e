"""Documents that Redis carries to every nexus, kept where they outlive it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from botmatrix.store.engine import Database
from botmatrix.store.tables import (
    CoreDocument,
    GroupPoliciesDocument,
    PluginsDocument,
    PluginSettingsDocument,
    VersionedDocument,
)

_ONE: Final = 1


class Documents:
    """One row of a table of its own. Every method raises `EngineUnavailable`."""

    def __init__(self, database: Database, table: type[VersionedDocument]) -> None:
        self._database, self._table = database, table

    async def read(self) -> VersionedDocument | None:
        """The row; None before the first change."""
        async with self._database.session() as session:
            return (await session.scalars(select(self._table))).one_or_none()

    async def save(self, version: int, document: str, by: str) -> bool:
        """Put a newer version in place; False when this one or a newer one is there already."""
        table = self._table
        values = {"version": version, "document": document, "updated_by": by}
        fresh = insert(table).values(id=_ONE, **values)
        newer = fresh.on_conflict_do_update(
            index_elements=["id"],
            set_={**values, "updated_at": func.now()},
            where=table.version < version,
        )
        async with self._database.session() as session:
            saved = await session.execute(newer.returning(table.version))
            return saved.scalar() is not None


class CoreDocuments(Documents):
    """The judge's configuration."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, CoreDocument)


class GroupDocuments(Documents):
    """The policies of groups with several bots."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, GroupPoliciesDocument)


class PluginDocuments(Documents):
    """Which plugins are on, and where."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, PluginsDocument)


class PluginSettingsDocuments(Documents):
    """What plugins are filled with."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, PluginSettingsDocument)
