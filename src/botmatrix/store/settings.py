"""Settings that every node of a cluster shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from botmatrix.config import Stored
from botmatrix.store.bindings import COMMANDERS
from botmatrix.store.engine import Database
from botmatrix.store.tables import SettingRow

_LOCK = 0x626F7473  # "bots": one change at a time


class SettingsTable:
    """The table `settings`. Every method is one transaction and raises `EngineUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> Stored:
        """All of it, unchecked, and who commands the hub from chat."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(SettingRow))).all()
            bound = (await session.scalars(COMMANDERS)).all()
        return Stored(
            {row.key: json.loads(row.value) for row in rows if not row.generated},
            {row.key: json.loads(row.value) for row in rows if row.generated},
            tuple(bound),
        )

    async def change(self, change: Mapping[str, Any], by: str) -> dict[str, Any]:
        """Set values, or with None take them away; what these keys held before, None where nothing."""
        async with self._database.session() as session:
            await session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            mine = SettingRow.key.in_(change), SettingRow.generated.is_(False)
            rows = (await session.scalars(select(SettingRow).where(*mine))).all()
            before = {row.key: json.loads(row.value) for row in rows}
            await session.execute(delete(SettingRow).where(*mine))
            for key, value in change.items():
                if value is not None:
                    session.add(SettingRow(key=key, generated=False, value=json.dumps(value), updated_by=by))
        return {key: before.get(key) for key in change}

    async def seed(self, generated: Mapping[str, str]) -> None:
        """Tokens of this node become those of all, unless another node was first."""
        rows = [
            {"key": key, "generated": True, "value": json.dumps(value), "updated_by": "first start"}
            for key, value in generated.items()
        ]
        async with self._database.session() as session:
            await session.execute(insert(SettingRow).values(rows).on_conflict_do_nothing())
