"""Functions of plugins in processes of their own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import psutil
import pytest
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Platform, Room, message, write_plugin

from botmatrix.worker.outcome import Dead
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.isolated.guard import NICE

CODE = """
    import os, time

    FACTOR = {factor}

    class Box:
        def __init__(self, value): self.value = value

    def double(box): return Box(helper(box.value))
    def helper(n): return n * FACTOR
    def die(): os._exit(3)
    def fail(): raise KeyError("no such picture")
    def linger(): time.sleep(600)

    @plugin.command("double")
    async def doubled(ctx, n: int):
        box = await ctx.run(double, Box(n))
        return f"{{box.value}} {{type(box) is Box}} {{os.getpid() == await ctx.run(os.getpid)}}"

    @plugin.command("die")
    async def dies(ctx):
        try:
            await ctx.run(die)
        except RunCrashed as error:
            return str(error)

    @plugin.command("fail")
    async def fails(ctx):
        try:
            await ctx.run(fail)
        except KeyError as error:
            return f"{{error.args[0]}}: {{'in fail' in str(error.__cause__)}}"

    @plugin.command("linger", timeout=1)
    async def lingers(ctx):
        await ctx.run(linger)
"""


async def test_functions_of_a_plugin_run_in_another_process_with_its_classes(open_room: Open) -> None:
    room = await open_room(CODE.format(factor=2))
    assert await room.say("/double 21") == ["42 True False"]


async def test_after_a_reload_the_new_code_runs(platform: Platform, host: Host, tmp_path: Path) -> None:
    room = Room(platform, host)
    for factor in (2, 3):
        await host.load(write_plugin(tmp_path, CODE.format(factor=factor)))
        assert (await room.say("/double 5"))[0].startswith(str(5 * factor))


async def test_a_process_that_dies_is_told_and_replaced(open_room: Open) -> None:
    room = await open_room(CODE.format(factor=2))
    assert "died" in (await room.say("/die"))[0]
    assert (await room.say("/double 1"))[0].startswith("2")


async def test_what_the_function_raises_is_raised_with_where(open_room: Open) -> None:
    room = await open_room(CODE.format(factor=2))
    assert await room.say("/fail") == ["no such picture: True"]


async def test_at_the_time_limit_the_process_is_killed(open_room: Open, platform: Platform, host: Host) -> None:
    room = await open_room(CODE.format(factor=2))
    handling = asyncio.create_task(room.handle(message("/linger")))
    async with asyncio.timeout(30):
        while not platform.processes.pids:
            await asyncio.sleep(0.01)
    pid = platform.processes.pids[0]
    platform.clock.advance(5)
    host.expire(platform.clock.monotonic())
    outcome = await asyncio.wait_for(handling, 30)
    assert isinstance(outcome, Dead)
    assert "handler_timeout" in outcome.reason
    assert platform.processes.pids == []
    assert not psutil.pid_exists(pid)


async def test_more_than_fit_wait_for_their_turn(platform: Platform) -> None:
    slow = [platform.processes.run(time.sleep, 0.2) for _ in range(5)]
    await asyncio.gather(*slow)
    assert len(platform.processes.pids) == 2


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="the processor is not divided among sessions")
async def test_the_worker_comes_before_it_whichever_way_the_processor_is_divided(platform: Platform) -> None:
    async with asyncio.timeout(20):  # Linux takes one such wish each 0.1 s
        while not (await platform.processes.run(Path("/proc/self/autogroup").read_text)).endswith(f"nice {NICE}\n"):
            await asyncio.sleep(0.05)
    assert await platform.processes.run(os.nice, 0) == os.nice(0) + NICE


async def test_what_can_not_be_carried_is_refused(platform: Platform) -> None:
    with pytest.raises(TypeError):
        await platform.processes.run(print, threading.Lock())
    with pytest.raises(TypeError):
        await platform.processes.run(threading.Lock)
    assert await platform.processes.run(abs, -1) == 1
