"""Handlers that do not end: expired, interrupted, cancelled; each hurts only itself."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Room, message, replies, write_plugin

from botmatrix.worker.outcome import Dead, Done, Outcome
from botmatrix.worker.plugins.blocked import PluginBlocked, blame, blocking_plugin
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState

HANG = """
    import asyncio
    @plugin.on_message(timeout=20)
    async def hang(ctx):
        ctx.reply("dropped")
        await asyncio.Event().wait()
"""
AFTER = """
    @plugin.on_message(priority=20)
    async def after(ctx): return "after"
"""


async def running(room: Room, count: int = 1) -> None:
    while len(room.host.running) < count:
        await asyncio.sleep(0)


def start(room: Room) -> asyncio.Task[Outcome]:
    return asyncio.create_task(room.handle(message("x")))


async def test_handler_past_its_deadline_is_cancelled_and_the_next_one_runs(open_room: Open) -> None:
    room = await open_room(HANG, other=AFTER)
    handling = start(room)
    await running(room)
    (run,) = room.host.running
    assert (run.plugin, run.handler, run.started, run.deadline) == ("mine", "hang", 0.0, 20.0)
    assert room.host.expire(19.9) == 0
    assert room.host.expire(20.0) == 1
    outcome = await handling
    assert isinstance(outcome, Dead)
    assert outcome.reason == "handler_timeout: mine.hang"
    assert replies(outcome) == ["after"]
    assert room.host.running == set()
    assert handling.cancelling() == 0


async def test_handler_that_ignores_its_cancellation_is_cancelled_again(open_room: Open) -> None:
    room = await open_room("""
        import asyncio
        @plugin.on_message()
        async def stubborn(ctx):
            for _ in range(3):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
            return "late, but done"
    """)
    handling = start(room)
    await running(room)
    for _ in range(3):
        assert room.host.expire(1e9) == 1
        await asyncio.sleep(0)
    assert replies(await handling) == ["late, but done"]
    assert handling.cancelling() == 0


async def test_cancelling_the_worker_slot_cancels_the_event(open_room: Open) -> None:
    room = await open_room(HANG)
    for also_expired in (False, True):
        handling = start(room)
        await running(room)
        if also_expired:
            room.host.expire(1e9)
        handling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handling
        assert room.host.running == set()


async def test_thread_of_a_handler_past_its_deadline_is_replaced(open_room: Open) -> None:
    release = threading.Event()
    room = await open_room("""
        @plugin.on_message("hang")
        def hang(ctx):
            import tests.unit.plugins.test_deadlines as here
            here.RELEASE.wait(30)
            return "never"
        @plugin.on_message("go")
        def go(ctx): return "went"
    """)
    globals()["RELEASE"] = release
    try:
        for _ in range(20):  # more than there are threads
            handling = asyncio.create_task(room.handle(message("hang")))
            await running(room)
            room.host.expire(1e9)
            assert isinstance(await handling, Dead)
        assert await room.say("go") == ["went"]
    finally:
        release.set()


async def test_many_sync_handlers_run_side_by_side(open_room: Open) -> None:
    room = await open_room("""
        import threading
        together = threading.Barrier(8)
        @plugin.on_message()
        def meet(ctx):
            together.wait(10)
            return "met"
    """)
    outcomes = await asyncio.gather(*(room.handle(message("x")) for _ in range(16)))
    assert [replies(outcome) for outcome in outcomes] == [["met"]] * 16


class Blamed(PluginBlocked):
    """Carries who it was."""


def interrupt(_signal: int, frame: FrameType | None) -> None:
    plugin = blocking_plugin(frame)
    if plugin is not None:
        raise Blamed(plugin)


@contextmanager
def alarmed() -> Iterator[None]:
    """A watchdog in the block: as soon as the alarm goes off, the plugin on the stack is interrupted."""
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize(
    "block",
    [
        "import time; time.sleep(30)",
        "while True: pass",
        "[x for x in iter(int, 1)]",
        "helper()",
        "await nested()",
        "await asyncio.gather(nested())",
    ],
)
async def test_plugin_that_blocks_is_interrupted_and_hurts_only_its_event(open_room: Open, block: str) -> None:
    room = await open_room(
        f"""
        import asyncio
        runs = []
        def helper():
            while True: sorted(range(100))
        async def nested(): helper()
        @plugin.on_message("block")
        async def block(ctx):
            runs.append(1)
            try:
                {block}
            except Exception:
                return "swallowed"
        @plugin.on_message("runs")
        async def count(ctx): return str(len(runs))
        """,
        other=AFTER,
    )
    with alarmed():
        outcome = await room.handle(message("block"))
    assert isinstance(outcome, Dead)
    assert outcome.reason == "handler_blocked: mine.block"
    assert replies(outcome) == ["after"]
    assert await room.say("runs") == ["1", "after"]


@pytest.mark.parametrize("code", ["while True: pass", "@plugin.on_startup\nasync def up(app):\n    while True: pass"])
async def test_plugin_that_blocks_while_it_is_loaded_is_not_loaded(host: Host, tmp_path: Path, code: str) -> None:
    with alarmed():
        info = await host.load(write_plugin(tmp_path, code))
    assert info.state is PluginState.FAILED
    assert info.error == "Blamed: mine"


async def test_how_often_it_was_interrupted_is_told_also_of_its_next_version(host: Host, tmp_path: Path) -> None:
    code = 'plugin = Plugin(id="eager")\n@plugin.on_startup\nasync def up(app):\n    for _ in range(n): look()\n'
    globals()["judge"] = lambda: blame(sys._getframe())
    before = time.time()
    for version, times in enumerate((1, 2)):
        head = f"import tests.unit.plugins.test_deadlines as here\nlook, n = (lambda: here.judge()), {times}\n"
        await host.load(write_plugin(tmp_path, head + code, "eager"))
        (info,) = host.plugins
        assert (info.state, info.interrupted) == (PluginState.LOADED, (1, 3)[version])
        assert before <= info.interrupted_at <= time.time()


async def test_nobody_is_blamed_when_no_plugin_is_on_the_stack(open_room: Open) -> None:
    await open_room(AFTER)
    assert blocking_plugin(sys._getframe()) is None
    assert blocking_plugin(None) is None


async def test_plugin_is_found_through_what_it_calls(open_room: Open) -> None:
    found: list[Any] = []
    globals()["look"] = lambda: found.append(blocking_plugin(sys._getframe()))
    room = await open_room("""
        @plugin.on_message()
        async def deep(ctx):
            import tests.unit.plugins.test_deadlines as here
            sorted([1], key=lambda _: here.look() or 0)
    """)
    assert isinstance(await room.handle(message("x")), Done)
    assert found == ["mine"]


async def test_plugin_that_blocks_while_it_is_unloaded_is_unloaded_all_the_same(open_room: Open, host: Host) -> None:
    room = await open_room("""
        @plugin.on_shutdown
        async def down(app):
            while True: pass
        @plugin.command("go")
        async def go(ctx): return "went"
    """)
    with alarmed():
        await host.unload("mine")
    assert await room.say("/go") == []
    assert not [name for name in sys.modules if name.startswith("botmatrix_plugin_")]


async def test_an_expression_that_blocks_fails_its_plugin_and_after_three_times_is_left_alone(open_room: Open) -> None:
    room = await open_room(
        """
        from botmatrix.worker.plugins.blocked import PluginBlocked

        class Slow:
            def search(self, text):
                raise PluginBlocked("mine")

        @plugin.on_message(Slow())
        async def slow(ctx): ...
        """,
        other=AFTER,
    )
    for _ in range(3):
        outcome = await room.handle(message("x"))
        assert isinstance(outcome, Dead)
        assert outcome.reason == "handler_blocked: mine.slow"
        assert replies(outcome) == ["after"]
    assert await room.say("x") == ["after"]
