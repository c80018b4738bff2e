"""A backup put back while everything runs: Redis holds what the tables hold when it is done.

Documents of which the higher version counts, and routing rules, which chat and REST change in Redis first, go there
within the transaction, so that nothing older comes back from there. What is always taken from the tables (settings,
tokens of bots) goes there right after it, also where no control runs that would carry it over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from botmatrix.bus.access import AccessBox
from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.core import CoreBox
from botmatrix.bus.documents import DocumentBox
from botmatrix.bus.groups import GroupsBox
from botmatrix.bus.keys import Keys
from botmatrix.bus.plugins import PluginsBox, PluginSettingsBox
from botmatrix.bus.rules import RulesMirror
from botmatrix.bus.settings import SettingsBox, version_of
from botmatrix.control.access_keeper import AccessKeeper
from botmatrix.core.config import CoreConfig
from botmatrix.core.plugin_settings import PluginSettings
from botmatrix.core.plugins import PluginWishes
from botmatrix.errors import EngineUnavailable
from botmatrix.routing.groups import GroupPolicies
from botmatrix.store import backup
from botmatrix.store.access import BotAccesses
from botmatrix.store.backup_plan import Choice
from botmatrix.store.engine import Database
from botmatrix.store.rules import LOCK as RULES_LOCK
from botmatrix.store.rules import rule_of
from botmatrix.store.settings import SettingsTable
from botmatrix.store.tables import RoutingRule

_TRIES: Final = 20


async def restore(url: str, redis_url: str, path: Path, choice: Choice | None = None) -> dict[str, int]:
    """As `store.backup.restore`; what is kept in Redis too also goes there. Raises `EngineUnavailable` for both."""
    redis = Client(redis_url, name="botmatrix-restore")
    try:
        await redis.call("PING")
        done = await backup.restore(url, path, choice, before_commit=_Follow(redis))
        with contextlib.suppress(EngineUnavailable, ReplyError):  # control carries it over when Redis is back
            await _carry_over(url, redis, done)
        return done
    finally:
        await redis.close()


async def _carry_over(url: str, redis: Client, done: Mapping[str, int]) -> None:
    database = Database(url, part="restore")
    try:
        if "settings" in done or "user_bindings" in done:
            box = SettingsBox(redis, Keys())
            live = (await box.glance("")).version
            document = (await SettingsTable(database).read()).document()
            if live != version_of(document):
                await box.publish(document, expected=live)
        if "bot_access" in done:
            await AccessKeeper(AccessBox(redis, Keys()), BotAccesses(database)).publish()
    finally:
        await database.close()


class _Follow:
    """Brings to Redis what would otherwise be taken back from there."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        keys = Keys()
        self._documents: dict[str, tuple[DocumentBox, bytes]] = {
            "core_config": (CoreBox(redis, keys), CoreConfig().to_json()),
            "group_policies": (GroupsBox(redis, keys), GroupPolicies().to_json()),
            "plugins": (PluginsBox(redis, keys), PluginWishes().to_json()),
            "plugin_settings": (PluginSettingsBox(redis, keys), PluginSettings().to_json()),
        }

    async def __call__(self, connection: Any, tables: list[str]) -> None:
        for name, (box, empty) in self._documents.items():
            if name in tables:
                await self._document(connection, name, box, empty)
        if RoutingRule.__tablename__ in tables:
            await self._rules(connection)

    async def _document(self, connection: Any, name: str, box: DocumentBox, empty: bytes) -> None:
        """Make what was restored the newest version in both places; `empty` where the backup has none."""
        saved = await connection.fetchrow(f"SELECT version, document FROM {name}")  # noqa: S608 - our own name
        document = saved["document"].encode() if saved else empty
        for _ in range(_TRIES):
            live = await box.version()
            if not saved and not live:
                return
            version = max(live, saved["version"] if saved else 0) + 1
            if await box.write(document, expected=live, version=version):
                await connection.execute(_KEEP.format(table=name), version, document.decode())
                return
        raise EngineUnavailable("the document", "it is being changed by others without a pause", "Try again")

    async def _rules(self, connection: Any) -> None:
        """Nobody may compare the mirror with the table until the transaction ends."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", RULES_LOCK)
        rows = await connection.fetch("SELECT * FROM routing_rules")
        rules = {row["key"]: rule_of(cast(RoutingRule, SimpleNamespace(**row))) for row in rows}
        mirror = RulesMirror(self._redis, Keys())
        await mirror.write(rules.values(), [key for key in await mirror.text() if key not in rules])


_KEEP: Final = """
INSERT INTO {table} (id, version, document, updated_by) VALUES (1, $1, $2, 'restore')
ON CONFLICT (id) DO UPDATE SET version = excluded.version"""
