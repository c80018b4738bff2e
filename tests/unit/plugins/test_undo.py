"""What a version of a plugin took, its end gives back."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from pathlib import Path

import psutil
from tests.unit.plugins.fakes import Platform, Room, write_plugin

from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState

CODE = """
    from pydantic import BaseModel
    from sqlalchemy import text

    class Config(BaseModel):
        word: str = "hi"

    plugin = Plugin(id="mine", config=Config, permissions="*", migrations=["CREATE TABLE t (n int)"])

    def double(n): return 2 * n

    @plugin.on_startup
    async def up(app):
        assert app.http.timeout.connect
        app.after(3600, lambda: None)

    @plugin.cron("0 0 1 1 *")
    async def yearly(app): ...

    @plugin.command("do", serial="group")
    async def do(ctx):
        async with ctx.db() as session:
            await session.execute(text("SELECT count(*) FROM t"))
        return str(await ctx.run(double, 21))
"""


async def test_reloads_leave_no_task_module_thread_or_descriptor(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    platform = Platform(redis_url, database_url)
    host = Host(platform)
    room = Room(platform, host)

    async def reload() -> None:
        info = await host.load(write_plugin(tmp_path, CODE))
        assert info.state is PluginState.LOADED, info.error
        assert await room.say("/do") == ["42"]

    async def counts() -> tuple[int, int, int, int]:
        gc.collect()
        async with asyncio.timeout(30):
            while host.plugins and host.plugins[0].draining:
                await asyncio.sleep(0.01)
        modules = sum(name.startswith("botmatrix_plugin_mine") for name in sys.modules)
        return len(asyncio.all_tasks()), modules, threading.active_count(), psutil.Process().num_fds()

    for _ in range(3):
        await reload()
    before = await counts()
    for _ in range(20):
        await reload()
    after = await counts()
    assert after[:3] == before[:3]
    assert after[3] <= before[3] + 1  # a connection that is just being let go
    await host.close()
    await platform.close()
