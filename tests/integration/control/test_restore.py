"""A backup put back under a running system, and the operation log that grows no older than it may."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from botmatrix.control.parts import Parts
from botmatrix.control.restore import restore
from botmatrix.control.retention import BATCH, Retention
from botmatrix.core.config import changed
from botmatrix.routing.rule import make_rule
from botmatrix.store.backup import backup
from botmatrix.store.backup_plan import choose
from botmatrix.store.tables import Operation


async def put_back(parts: Parts, path: Path, *only: str) -> None:
    await restore(str(parts.settings.database_url), parts.settings.redis_url, path, choose(only))


async def make(parts: Parts, path: Path) -> None:
    await backup(str(parts.settings.database_url), path)


async def test_restored_rules_are_not_taken_back_from_the_mirror(parts: Parts, tmp_path: Path) -> None:
    await parts.rules.save([make_rule("user_1", "w1"), make_rule("user_2", "w1")])
    await make(parts, tmp_path / "b")
    await parts.rules.save([make_rule("user_1", "changed"), make_rule("user_3", "new")])
    await parts.rules.delete("user_2")
    compared = asyncio.create_task(parts.rules.sync())
    await put_back(parts, tmp_path / "b", "rules")
    await compared
    await parts.rules.sync()
    assert {key: rule.target for key, rule in (await parts.rules.all()).items()} == {"user_1": "w1", "user_2": "w1"}
    assert (await parts.rules.mirrored()).keys() == {"user_1", "user_2"}


async def test_the_restored_judge_is_the_newest_one(parts: Parts, tmp_path: Path) -> None:
    await parts.core.change(lambda config: changed(config, {"system_control": {"open": False}}), "me")
    await make(parts, tmp_path / "b")
    for _ in range(5):
        await parts.core.change(lambda config: changed(config, {"system_control": {"open": True}}), "me")
    await put_back(parts, tmp_path / "b", "core")
    await parts.core.reconcile()
    current = await parts.core.current()
    assert (current.config.system_control.open, current.published) == (False, True)


async def test_what_was_as_it_came_is_so_again(parts: Parts, tmp_path: Path) -> None:
    await make(parts, tmp_path / "b")
    for _ in range(3):
        await parts.core.change(lambda config: changed(config, {"system_control": {"open": False}}), "me")
    await put_back(parts, tmp_path / "b", "core")
    await parts.core.reconcile()
    current = await parts.core.current()
    assert (current.config.system_control.open, current.published) == (True, True)


async def test_redis_holds_what_was_restored_before_control_looks(parts: Parts, tmp_path: Path) -> None:
    await parts.settings_keeper.change({"log_level": "debug"}, "me")
    await parts.access.generate("qq:1", "me")
    await parts.core.change(lambda config: changed(config, {"system_control": {"open": False}}), "me")
    held = "botmatrix:config:settings", "botmatrix:access", "botmatrix:core:config"
    before = await parts.redis.call("MGET", *held)
    await make(parts, tmp_path / "b")
    await parts.settings_keeper.change({"log_level": "error"}, "me")
    await parts.access.clear("qq:1", "me")
    await parts.core.change(lambda config: changed(config, {"system_control": {"open": True}}), "me")
    assert await parts.redis.call("MGET", *held) != before
    await put_back(parts, tmp_path / "b")
    assert await parts.redis.call("MGET", *held) == before


async def test_a_restored_token_is_published(parts: Parts, tmp_path: Path) -> None:
    await parts.access.generate("qq:1", "me")
    await parts.access.publish()
    before = await parts.redis.call("GET", "botmatrix:access")
    await make(parts, tmp_path / "b")
    await parts.access.clear("qq:1", "me")
    await put_back(parts, tmp_path / "b", "bots")
    await parts.access.publish()
    assert await parts.redis.call("GET", "botmatrix:access") == before


async def test_the_operation_log_is_forgotten_after_its_days(parts: Parts) -> None:
    now = datetime.now(UTC)
    empty = {"who": "x", "via": "", "what": "", "object": "", "address": ""}
    old = [{**empty, "at": now - timedelta(days=31)}] * (BATCH + 10)
    async with parts.database.connection() as connection:
        await connection.execute(insert(Operation), old)
        await connection.execute(insert(Operation), [{**empty, "at": now - timedelta(days=29)}])
    assert await Retention(parts.operations, 30).sweep() == BATCH + 10
    assert (await parts.operations.list())[1] == 1
    assert await Retention(parts.operations, 30).sweep() == 0
