"""Histories are written only while a plugin wants them."""

from __future__ import annotations

from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Platform, message, replies

from botmatrix.bus.keys import Keys
from botmatrix.bus.sessions import Names
from botmatrix.worker.outcome import Dead
from botmatrix.worker.plugins.host import Host

ALICE = Names.person(Keys(), "qq", "123")
RECALL = """
plugin = Plugin(id="mine", history=True)

@plugin.command("recall")
async def recall(ctx):
    return "|".join(heard.text for heard in await ctx.session.history()) or "nothing"
"""


async def test_a_plugin_that_wants_history_gets_it(open_room: Open) -> None:
    room = await open_room(RECALL)
    for number in range(7):
        await room.handle(message(f"m{number}"), f"{number:024}")
    assert replies(await room.handle(message("/recall"), "a" * 24)) == ["m3|m4|m5|m6"]


async def test_nothing_is_written_when_nobody_wants_it(open_room: Open, platform: Platform) -> None:
    room = await open_room("@plugin.command('a')\nasync def a(ctx): pass")
    await room.say("hello")
    assert not platform.sessions.memory.wanted
    assert await platform.sessions.history(ALICE) == []


async def test_reading_a_history_that_nobody_asked_for_says_what_is_missing(open_room: Open) -> None:
    room = await open_room(RECALL.replace(", history=True", ""))
    outcome = await room.handle(message("/recall"))
    assert isinstance(outcome, Dead)
    assert "RuntimeError" in outcome.reason


async def test_unloading_the_last_such_plugin_ends_it(open_room: Open, platform: Platform, host: Host) -> None:
    def wanted() -> bool:
        return platform.sessions.memory.wanted

    await open_room(RECALL)
    assert wanted()
    platform.times.session_history = 0
    assert not wanted()
    platform.times.session_history = 5
    await host.unload("mine")
    assert not wanted()
