"""A backup put back while everything runs: Redis is told within the transaction, so that it brings nothing back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from botmatrix.bus.client import Client
from botmatrix.bus.core import CoreBox
from botmatrix.bus.groups import GroupsBox
from botmatrix.bus.keys import Keys
from botmatrix.bus.plugins import PluginsBox, PluginSettingsBox
from botmatrix.bus.rules import RulesMirror
from botmatrix.store import backup
from botmatrix.store.rules import LOCK as RULES_LOCK
from botmatrix.store.rules import rule_of
from botmatrix.store.tables import (
    CoreDocument,
    GroupPoliciesDocument,
    PluginsDocument,
    PluginSettingsDocument,
    RoutingRule,
)


async def restore(url: str, redis_url: str, path: Path, parts: Sequence[str] = ()) -> dict[str, int]:
    """As `store.backup.restore`; what is kept in Redis too also goes there. Raises `EngineUnavailable` for both."""
    redis = Client(redis_url, name="botmatrix-restore")
    try:
        await redis.call("PING")
        return await backup.restore(url, path, parts, before_commit=_Follow(redis))
    finally:
        await redis.close()


class _Follow:
    """Brings to Redis what would otherwise be taken back from there."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    async def __call__(self, connection: Any, tables: list[str]) -> None:
        if CoreDocument.__tablename__ in tables:
            live = await CoreBox(self._redis, Keys()).version()
            await connection.execute("UPDATE core_config SET version = greatest(version, $1) + 1", live)
        if GroupPoliciesDocument.__tablename__ in tables:
            live = await GroupsBox(self._redis, Keys()).version()
            await connection.execute("UPDATE group_policies SET version = greatest(version, $1) + 1", live)
        if PluginsDocument.__tablename__ in tables:
            live = await PluginsBox(self._redis, Keys()).version()
            await connection.execute("UPDATE plugins SET version = greatest(version, $1) + 1", live)
        if PluginSettingsDocument.__tablename__ in tables:
            live = await PluginSettingsBox(self._redis, Keys()).version()
            await connection.execute("UPDATE plugin_settings SET version = greatest(version, $1) + 1", live)
        if RoutingRule.__tablename__ in tables:
            await self._rules(connection)

    async def _rules(self, connection: Any) -> None:
        """Nobody may compare the mirror with the table until the transaction ends."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", RULES_LOCK)
        rows = await connection.fetch("SELECT * FROM routing_rules")
        rules = {row["key"]: rule_of(cast(RoutingRule, SimpleNamespace(**row))) for row in rows}
        mirror = RulesMirror(self._redis, Keys())
        await mirror.write(rules.values(), [key for key in await mirror.text() if key not in rules])
