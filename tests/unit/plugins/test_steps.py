"""What the host tells the trace: which handlers ran and how they ended, and why none did."""

from __future__ import annotations

from typing import Any

from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Room, message

from botmatrix.worker.outcome import Dead, Done, Retry

TRACED, OTHER = "e" * 23 + "1", "e" * 23 + "0"
PLUGINS = """
    from botmatrix import Retry, perm

    @plugin.command("echo")
    async def echo(ctx):
        await ctx.reply("hi")

    @plugin.command("secret", permission=perm.OWNER)
    async def secret(ctx):
        await ctx.reply("sh")

    @plugin.command("fail")
    async def fail(ctx):
        raise ValueError("no")

    @plugin.command("later")
    async def later(ctx):
        raise Retry(after=1, reason="busy")

    @plugin.on_message(regex="^log")
    async def log(ctx):
        pass
"""


async def ended(room: Room, text: str, id: str = TRACED, **fields: Any) -> Any:
    return await room.handle(message(text, **fields), id)


def names(outcome: Done | Dead | Retry) -> list[tuple[str, str]]:
    return [(step.handler.rpartition(".")[2], step.ended) for step in outcome.steps]


async def test_each_handler_is_a_step_with_its_end(open_room: Open) -> None:
    room = await open_room(PLUGINS)
    assert names(await ended(room, "/echo")) == [("echo", "answered")]
    assert names(await ended(room, "log this")) == [("log", "silent")]
    failed = await ended(room, "/fail")
    assert isinstance(failed, Dead)
    assert [(name, "ValueError" in end) for name, end in names(failed)] == [("fail", True)]
    assert names(await ended(room, "/later")) == [("later", "busy")]


async def test_silence_has_its_reason(open_room: Open) -> None:
    room = await open_room(PLUGINS)
    assert (await ended(room, "nice weather")).quiet == "no_match"
    assert (await ended(room, "/secret")).quiet == "permission"
    assert (await ended(room, "/echo", user_id=10001)).quiet == "own"
    assert (await ended(room, "x", post_type="notice", notice_type="poke")).quiet == "no_match"


async def test_an_event_that_is_not_traced_costs_no_search_for_a_reason(open_room: Open) -> None:
    room = await open_room(PLUGINS)
    assert (await ended(room, "nice weather", OTHER)).quiet == ""
