"""What plugins keep for good: a value by its key, each plugin for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from botmatrix.errors import EngineUnavailable
from botmatrix.store.engine import Database
from botmatrix.store.tables import PluginValue

_NO_TABLE: Final = "42P01"


class PluginValues:
    """Values are texts (JSON). Connects when it is first used. Every method raises `EngineUnavailable`."""

    def __init__(self, url: str, *, part: str) -> None:
        self._url, self._part = url, part
        self._database: Database | None = None

    async def get(self, plugin: str, key: str) -> str | None:
        """The value; None when there is none."""
        async with self._session() as session:
            return await self._value(session, plugin, key)

    async def set(self, plugin: str, key: str, value: str) -> None:
        """Put a value in place."""
        async with self._session() as session:
            await self._put(session, plugin, key, value)

    async def change(self, plugin: str, key: str, change: Callable[[str | None], str]) -> str:
        """Put `change(value)` in the place of the value, or of None; nobody else changes it meanwhile."""
        async with self._session() as session:
            # A row that is not there yet can't be locked; its name can.
            await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{plugin}|{key}", 0))))
            value = change(await self._value(session, plugin, key))
            await self._put(session, plugin, key, value)
            return value

    async def delete(self, plugin: str, key: str) -> bool:
        """Forget a value; whether there was one."""
        wanted = delete(PluginValue).where(PluginValue.plugin == plugin, PluginValue.key == key)
        async with self._session() as session:
            return (await session.execute(wanted.returning(PluginValue.key))).scalar() is not None

    async def keys(self, plugin: str, prefix: str, after: str, limit: int) -> list[str]:
        """Keys that begin with `prefix`, in order, those above `after`."""
        wanted = select(PluginValue.key).where(
            PluginValue.plugin == plugin, func.starts_with(PluginValue.key, prefix), PluginValue.key > after
        )
        async with self._session() as session:
            return list(await session.scalars(wanted.order_by(PluginValue.key).limit(limit)))

    async def close(self) -> None:
        """Close the connections."""
        if self._database is not None:
            await self._database.close()

    async def _value(self, session: AsyncSession, plugin: str, key: str) -> str | None:
        wanted = select(PluginValue.value).where(PluginValue.plugin == plugin, PluginValue.key == key)
        return (await session.scalars(wanted)).one_or_none()

    async def _put(self, session: AsyncSession, plugin: str, key: str, value: str) -> None:
        fresh = insert(PluginValue).values(plugin=plugin, key=key, value=value)
        newer = fresh.on_conflict_do_update(
            index_elements=[PluginValue.plugin, PluginValue.key], set_={"value": value, "updated_at": func.now()}
        )
        await session.execute(newer)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        if not self._url:
            raise EngineUnavailable("PostgreSQL", "this worker has no database", "Set database_url")
        if self._database is None:
            self._database = Database(self._url, part=self._part)
        try:
            async with self._database.session() as session:
                yield session
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") == _NO_TABLE:
                raise EngineUnavailable("PostgreSQL", "its tables are not ready yet", "Start control") from error
            raise
