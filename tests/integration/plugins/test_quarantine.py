"""A plugin whose process crashes again and again: events go past it, and other workers do what it does not."""

from __future__ import annotations

import asyncio
import json
import textwrap
from pathlib import Path
from typing import Any

from tests.integration.plugins.conftest import Open
from tests.integration.plugins.test_isolated import process
from tests.unit.plugins.fakes import Platform, Room, message

from botmatrix.worker.outcome import Done
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.source import Source

TRACED = "1" * 24
NOTICE: dict[str, Any] = {
    "post_type": "notice",
    "notice_type": "group_increase",
    "group_id": 1,
    "user_id": 2,
    "self_id": 10001,
}
META: dict[str, Any] = {"post_type": "meta_event", "meta_event_type": "heartbeat", "self_id": 10001}
MANY = """
    import os
    from botmatrix import Plugin

    plugin = Plugin(id="mine")

    @plugin.on_message()
    async def crash(ctx):
        if ctx.text == "die": os._exit(1)
        return "alive"

    @plugin.command("live")
    async def live(ctx): ...

    @plugin.skill("add")
    async def add(a: int) -> int: return a + 1

    @plugin.cron("0 0 1 1 *")
    async def yearly(app): ...
"""


async def crash_often(room: Room) -> None:
    """Until it is in quarantine."""
    async with asyncio.timeout(60):
        while process(room.host)["state"] != "quarantined":
            await room.handle(message("die"))
            await asyncio.sleep(0.02)


def waiting_for_the_clock() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("cron ")]


async def test_after_the_fifth_crash_in_ten_minutes_events_go_past_it_and_the_trace_says_so(
    open_room: Open, host: Host
) -> None:
    room = await open_room("""
        for m in messages(): sys.exit(1)
    """)
    await crash_often(room)
    assert process(host)["restarts"] == 4
    assert process(host)["pid"] == 0
    assert host.handlers() == []
    outcome = await room.handle(message("x"), TRACED)
    assert outcome == Done([])
    assert isinstance(outcome, Done)
    assert outcome.quiet == "quarantined"
    await host.unload("mine")
    outcome = await room.handle(message("x"), TRACED)
    assert isinstance(outcome, Done)
    assert outcome.quiet == "no_match"


async def test_only_events_that_it_would_have_taken_went_past_it(open_room: Open, host: Host) -> None:
    room = await open_room("for m in messages(): sys.exit(1)", events=["on_notice"])
    async with asyncio.timeout(60):
        while process(host)["state"] != "quarantined":
            await room.handle(NOTICE)
            await asyncio.sleep(0.02)
    whys = [await room.handle(event, TRACED) for event in (message("x"), NOTICE, META)]
    assert [outcome.quiet for outcome in whys if isinstance(outcome, Done)] == ["no_match", "quarantined", "no_match"]


async def test_its_skills_commands_and_what_the_clock_starts_are_not_told_of_until_it_is_loaded_anew(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "plugin.json").write_text(json.dumps({"id": "mine", "isolation": "process"}))
    (folder / "plugin.py").write_text(textwrap.dedent(MANY))
    info = await host.load(Source("file", "mine", folder))
    assert info.state is PluginState.LOADED, info.error
    room = Room(platform, host)
    assert [one.name for one in host.skills.capabilities()] == ["add"]
    assert [command.name for command in host.commands()] == ["live"]
    assert waiting_for_the_clock() == ["cron mine.yearly"]

    await crash_often(room)
    assert host.skills.capabilities() == []
    assert host.commands() == []
    await asyncio.sleep(0)  # a task that is cancelled ends in the next turn
    assert waiting_for_the_clock() == []
    assert await room.say("hello") == []

    await host.reload("mine")
    assert await room.say("hello") == ["alive"]
    assert [one.name for one in host.skills.capabilities()] == ["add"]
    assert [command.name for command in host.commands()] == ["live"]
    assert waiting_for_the_clock() == ["cron mine.yearly"]


async def test_a_new_version_that_fails_leaves_it_failed_and_says_why(
    open_room: Open, host: Host, tmp_path: Path
) -> None:
    room = await open_room("for m in messages(): sys.exit(1)")
    await crash_often(room)
    (tmp_path / "mine" / "main.py").write_text("raise ValueError('still broken')")
    info = await host.reload("mine")
    assert info is not None
    assert info.state is PluginState.FAILED
    assert "still broken" in info.error
    assert info.process is None
