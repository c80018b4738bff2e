"""What the clock starts in Python plugins in processes of their own: the worker keeps the time, the process runs."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.plugins.conftest import FAST, LivePlatform
from tests.integration.plugins.test_isolated import process
from tests.unit.plugins.fakes import Platform

from botmatrix.bus.cron import Turn
from botmatrix.errors import ActionFailed
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginInfo, PluginState
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source

TICK = """
    from botmatrix import ActionFailed, Plugin

    plugin = Plugin(id="mine")

    @plugin.cron("0 0 1 1 *", timeout=20)
    async def tick(app):
        await app.send("qq:group:456", "tick")
"""


@pytest.fixture
async def host(platform: Platform) -> AsyncIterator[Host]:
    host = Host(platform, Isolation(platform, pace=FAST))
    yield host
    await host.close()


async def load(host: Host, folder: Path, code: str, *permissions: str) -> PluginInfo:
    path = folder / "mine"
    path.mkdir(exist_ok=True)
    (path / "plugin.json").write_text(
        json.dumps({"id": "mine", "isolation": "process", "permissions": permissions or ["send_msg"]})
    )
    (path / "plugin.py").write_text(textwrap.dedent(code))
    return await host.load(Source("file", "mine", path))


def said(platform: Platform) -> list[tuple[str, str]]:
    """(group, text) of all that was said, in order."""
    return [
        (str(params["group_id"]), params["message"][0]["data"]["text"])
        for action, params in platform.sent
        if action == "send_msg"
    ]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def test_it_speaks_commands_bots_and_keeps_values(redis_url: str, database_url: str, tmp_path: Path) -> None:
    platform = LivePlatform(redis_url, database_url)
    host = Host(platform, Isolation(platform, pace=FAST))
    platform.answers["get_group_list"] = [{"group_id": 7}]
    code = """
        from botmatrix import Plugin

        plugin = Plugin(id="mine")

        @plugin.cron("0 0 1 1 *")
        async def yearly(app):
            groups = await app.call("qq:10001", "get_group_list")
            await app.store.set("groups", groups)
            for group in groups:
                id = await app.send(f"qq:group:{group['group_id']}", "happy new year", now=True)
                await app.send("qq@10002:group:8", f"said {id}")
    """
    try:
        info = await load(host, tmp_path, code, "get_group_list", "send_msg")
        assert info.state is PluginState.LOADED, info.error
        await host.tick("mine.yearly")
        assert said(platform) == [("7", "happy new year"), ("8", "said 77")]
        assert [entry.bot for entry, _ in platform.done.values()] == ["qq:10001", "qq:10001", "qq:10002"]
        assert await platform.values().get("mine", "groups") == '[{"group_id":7}]'
    finally:
        await host.close()
        await platform.close()


async def test_a_time_is_run_once_though_two_workers_have_the_plugin(
    platform: Platform, host: Host, redis_url: str, tmp_path: Path
) -> None:
    other = LivePlatform(redis_url)
    second = Host(other, Isolation(other, pace=FAST))
    due = int(platform.clock.now() // 60 * 60)
    await platform.crons.take("mine.tick", due - 60, "before")
    await platform.crons.done("mine.tick", due - 60, "before")
    try:
        for one in (host, second):
            info = await load(one, tmp_path, TICK.replace("0 0 1 1 *", "* * * * *"))
            assert info.state is PluginState.LOADED, info.error
        await until(lambda: platform.sent or other.sent)
        async with asyncio.timeout(60):
            while await platform.crons.take("mine.tick", due, "nobody") is not Turn.OVER:
                await asyncio.sleep(0.02)
        ids = [*platform.done, *other.done]
        assert len(ids) == len(set(ids))
    finally:
        await second.close()
        await other.close()


async def test_what_is_not_granted_or_fails_is_raised_there(platform: Platform, host: Host, tmp_path: Path) -> None:
    code = """
        from botmatrix import ActionFailed, Plugin

        plugin = Plugin(id="mine")

        @plugin.cron("0 0 1 1 *")
        async def tick(app):
            for doing in (app.send("qq:group:1", "x"), app.call("qq:10001", "get_status"), app.call("qq:10001", "ban")):
                try: await doing
                except ActionFailed as error: app.log.warning("failed %s", error.retcode)
    """
    platform.answers["get_status"] = ActionFailed(1200, "no")
    await load(host, tmp_path, code, "get_status")
    await host.tick("mine.tick")
    assert [action for action, _ in platform.sent] == ["get_status"]
    assert process(host)["refused"] == {"app.speaker": 1, "app.call": 1}


async def test_one_that_fails_or_takes_too_long_ends_and_the_next_one_runs(
    platform: Platform, host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = (
        TICK
        + """
    @plugin.cron("0 0 1 1 *", timeout=0.3)
    async def slow(app):
        import asyncio
        await asyncio.sleep(3600)

    @plugin.cron("0 0 1 1 *")
    def broken(app): raise OSError("no disk")
    """
    )
    caplog.set_level("INFO")
    await load(host, tmp_path, code)
    await host.tick("mine.slow")
    await host.tick("mine.broken")
    platform.done.clear()
    await host.tick("mine.tick")
    assert said(platform) == [("456", "tick")]
    assert process(host)["restarts"] == 0
    with pytest.raises(KeyError):
        await host.tick("mine.nothing")
    await until(lambda: "no disk" in caplog.text)


async def test_nobody_acts_before_there_is_an_event_or_a_time(platform: Platform, host: Host, tmp_path: Path) -> None:
    code = TICK + '\n    @plugin.on_startup\n    async def up(app): await app.call("qq:10001", "get_status")\n'
    info = await load(host, tmp_path, code)
    assert info.state is PluginState.FAILED
    assert "while it handles an event, or what the clock started" in info.error


async def test_the_clock_speaks_to_hundreds_of_groups_and_who_wants_more_is_told(
    host: Host, platform: Platform, tmp_path: Path
) -> None:
    code = """
        from botmatrix import ActionFailed, Plugin

        plugin = Plugin(id="mine")

        @plugin.cron("0 0 1 1 *", timeout=60)
        async def tick(app):
            try:
                for group in range(1, 5000):
                    await app.send(f"qq:group:{group}", "tick")
            except ActionFailed as failed:
                app.log.info("told: %s", failed.message)
    """
    await load(host, tmp_path, code)
    await host.tick("mine.tick")
    assert len(said(platform)) == 1000
    assert sum(process(host)["refused"].values()) == 1
