"""Handlers beside one another: parallel, dropped, debounced, one for a whole group."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Room, envelope, message, replies

from botmatrix.sdk.concurrency import Concurrency
from botmatrix.worker.outcome import Dead

CODE = """
    import asyncio
    gate = asyncio.Event()
    seen = []

    @plugin.command("drop", concurrency="drop")
    async def drop(ctx):
        await gate.wait()
        return "dropped not"

    @plugin.command("open")
    async def opens(ctx): gate.set()

    @plugin.on_message("^b", concurrency="debounce(100ms)")
    async def last(ctx): return ctx.text

    @plugin.command("turn", serial="group")
    async def turn(ctx, name: str):
        seen.append(f"+{name}")
        await asyncio.sleep(0.01)
        seen.append(f"-{name}")

    @plugin.command("seen")
    async def tell(ctx): return " ".join(seen)

    @plugin.command("free", concurrency="parallel")
    async def free(ctx): await ctx.ask("what?")
"""


def handle(room: Room, text: str, number: int, **fields: Any) -> Any:
    return asyncio.ensure_future(room.handle(message(text, **fields), f"{number:024}"))


def test_modes_are_read_and_others_refused() -> None:
    assert Concurrency.parse("debounce(2s)") == ("debounce", 2.0)
    assert Concurrency.parse("debounce(250ms)").seconds == 0.25
    for wrong in ("", "debounce", "debounce(0s)", "debounce(99s)", "Serial"):
        with pytest.raises(ValueError, match="expected"):
            Concurrency.parse(wrong)


async def test_an_event_is_dropped_while_the_handler_is_at_work(open_room: Open) -> None:
    room = await open_room(CODE)
    first = handle(room, "/drop", 1)
    await asyncio.sleep(0)
    assert replies(await handle(room, "/drop", 2)) == []
    other = handle(room, "/drop", 3, user_id=7)
    await room.say("/open")
    assert replies(await first) == replies(await other) == ["dropped not"]
    assert await room.say("/drop") == ["dropped not"]


async def test_of_many_in_a_row_the_last_is_handled(open_room: Open) -> None:
    room = await open_room(CODE)
    said = await asyncio.gather(*(handle(room, f"b{number}", number) for number in range(5)))
    assert [replies(outcome) for outcome in said] == [[], [], [], [], ["b4"]]


async def test_in_a_group_one_runs_after_another_and_groups_beside_each_other(open_room: Open) -> None:
    room = await open_room(CODE)
    people = [handle(room, f"/turn p{user}", user, user_id=user) for user in range(1, 5)]
    await asyncio.gather(*people, handle(room, "/turn x", 9, group_id=7))
    seen = (await room.say("/seen"))[0].split()
    ours = [step for step in seen if step[1] == "p"]
    assert ours == [f"{sign}p{user}" for user in range(1, 5) for sign in "+-"]
    assert seen.index("+x") < seen.index("-p4")


async def test_only_what_free_handlers_take_need_not_wait(open_room: Open) -> None:
    room = await open_room(CODE, other="@plugin.command('drop')\nasync def too(ctx): return 'too'")
    for text, is_free in (("/free", True), ("b", True), ("/turn a", False), ("/seen", False), ("hello", False)):
        event = message(text)
        first, second = (room.host.serial_key(envelope(event, id), event) for id in ("1" * 24, "2" * 24))
        assert (first != second) is is_free, text


async def test_a_handler_that_does_not_wait_can_not_ask(open_room: Open) -> None:
    room = await open_room(CODE)
    outcome = await room.handle(message("/free"))
    assert isinstance(outcome, Dead)
    assert "ValueError" in outcome.reason
