"""Plugins are exchanged while events come: each event is answered by one version, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
from tests.conftest import free_port
from tests.integration.plugins.conftest import texts
from tests.unit.plugins.fakes import Platform, Room, message, write_plugin

from botmatrix.worker.outcome import Retry
from botmatrix.worker.plugins import exchange
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.runs import resting
from botmatrix.worker.plugins.source import Source

RELOADS = int(os.environ.get("BOTMATRIX_HOT_RELOADS", "30"))
RATE = 500.0
MIB = 1 << 20

GOOD = """
import asyncio, threading

VERSION = {version}
held, stop = [], threading.Event()
ballast = ["x" * 1000 for _ in range(1000)]

async def forever():
    while True:
        await asyncio.sleep(0.01)

@plugin.on_startup
async def up(app):
    held.append(asyncio.create_task(forever()))
    thread = threading.Thread(target=stop.wait)
    thread.start()
    app.on_close(stop.set)
    file = open(__file__)
    app.on_close(file.close)
    def again():
        app.after(0.01, again)
    again()

@plugin.command("go")
async def go(ctx):
    await asyncio.sleep(0.004)
    return f"v{{VERSION}}"
"""
BROKEN = (
    "def (",
    "import no_such_module_{version}",
    "@plugin.on_startup\nasync def up(app):\n    app.on_close(lambda: None)\n    raise OSError('no disk')",
    "raise RuntimeError({version})",
)


class Held(NamedTuple):
    tasks: int
    threads: int
    files: int
    modules: int
    rss: int


def held() -> Held:
    gc.collect()
    process = psutil.Process()
    modules = sum(name.startswith("botmatrix_plugin_") for name in sys.modules)
    tasks = sum(task.get_name() != "event" for task in asyncio.all_tasks())
    return Held(tasks, threading.active_count(), process.num_fds(), modules, process.memory_info().rss)


class Traffic:
    """`RATE` events a second; which answers came, and which events got none or several."""

    def __init__(self, platform: Platform, host: Host) -> None:
        self._room = Room(platform, host)
        self.answers: Counter[str] = Counter()
        self.wrong: list[object] = []
        self.sent = 0

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            due = loop.time()
            while not stop.is_set():
                group.create_task(self._one(), name="event")
                self.sent += 1
                due += 1 / RATE
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _one(self) -> None:
        outcome = await self._room.handle(message("/go"))
        said = [] if isinstance(outcome, Retry) else texts(outcome)
        if len(said) == 1:
            self.answers[said[0]] += 1
        else:
            self.wrong.append(outcome)


async def test_every_event_is_answered_once_while_good_and_broken_versions_come(
    host: Host, platform: Platform, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    source = write_plugin(tmp_path, GOOD.format(version=0))
    await host.load(source)
    for version in range(3):
        write_plugin(tmp_path, GOOD.format(version=version))
        await host.load(source)
    await settled(host)
    traffic, stop = Traffic(platform, host), asyncio.Event()
    before = held()
    coming = asyncio.create_task(traffic.run(stop), name="event")
    good = 2
    for number in range(3, RELOADS + 3):
        broken = number % 2 == 0
        code = BROKEN[number // 2 % len(BROKEN)] if broken else GOOD
        write_plugin(tmp_path, code.format(version=number))
        info = await host.load(source)
        assert info.state is PluginState.LOADED
        assert bool(info.error) is broken
        good = good if broken else number
        await asyncio.sleep(0.02)
    stop.set()
    await coming
    await settled(host)
    after = held()
    assert traffic.wrong == []
    assert sum(traffic.answers.values()) == traffic.sent
    assert set(traffic.answers) <= {f"v{number}" for number in (2, *range(3, RELOADS + 3, 2))}
    assert traffic.answers[f"v{good}"]
    assert after[:4] == before[:4]
    assert after.rss - before.rss <= 10 * MIB
    record_property("figures", f"{traffic.sent} events, RSS {(after.rss - before.rss) / MIB:+.1f} MiB, {after[:4]}")


async def settled(host: Host) -> None:
    """Until no older version is left."""
    async with asyncio.timeout(20):
        while any(info.draining for info in host.plugins):
            await asyncio.sleep(0.01)


async def test_an_event_that_is_under_way_ends_in_the_old_version(
    host: Host, platform: Platform, tmp_path: Path
) -> None:
    code = """
    import asyncio
    begun, go_on = asyncio.Event(), asyncio.Event()
    plugin.events = (begun, go_on)
    ended = plugin.ended = []
    @plugin.on_shutdown
    async def down(app): ended.append({version})
    @plugin.command("go")
    async def go(ctx):
        begun.set()
        await go_on.wait()
        return "{version}"
    """
    source = write_plugin(tmp_path, code.format(version=1))
    await host.load(source)
    old = host._registry._loaded["mine"].plugin
    begun, go_on = old.events  # type: ignore[attr-defined]
    under_way = asyncio.create_task(Room(platform, host).handle(message("/go")))
    await begun.wait()
    write_plugin(tmp_path, code.format(version=2))
    info = await host.load(source)
    assert info.draining == 1
    assert old.ended == []  # type: ignore[attr-defined]
    go_on.set()
    assert texts(await under_way) == ["1"]
    await settled(host)
    assert old.ended == [1]  # type: ignore[attr-defined]


PORT = """
import socket
@plugin.on_startup
async def up(app):
    listener = socket.create_server(("127.0.0.1", {port}))
    app.on_close(listener.close)
    {then}
@plugin.command("go")
async def go(ctx):
    import asyncio
    await asyncio.sleep(0.01)
    return "v{version}"
plugin.exclusive = True
"""


async def test_an_exclusive_plugin_is_closed_first_and_comes_back_when_the_new_one_fails(
    host: Host, platform: Platform, tmp_path: Path
) -> None:
    port = free_port()

    def write(version: int, then: str = "") -> Source:
        return write_plugin(tmp_path, PORT.format(port=port, version=version, then=then))

    source = write(1)
    await host.load(source)
    traffic, stop = Traffic(platform, host), asyncio.Event()
    coming = asyncio.create_task(traffic.run(stop), name="event")
    for version, then in enumerate(("", "raise OSError('no disk')", "", "raise OSError('no disk')"), 2):
        await asyncio.sleep(0.05)
        write(version, then)
        info = await host.load(source)
        assert (info.state, bool(info.error)) == (PluginState.LOADED, bool(then))
    await asyncio.sleep(0.05)
    stop.set()
    await coming
    assert traffic.wrong == []
    assert set(traffic.answers) == {"v1", "v2", "v4"}


async def test_a_question_that_stays_open_goes_on_in_the_new_version(
    host: Host, platform: Platform, tmp_path: Path
) -> None:
    """What waits for a person is ended after a while, to be handled again: the question is not said twice."""
    globals()["rest"] = resting
    code = """
    import asyncio
    from tests.integration.plugins import test_hot
    @plugin.command("go")
    async def go(ctx):
        if {version} == 2:
            return "2"
        with test_hot.rest():
            await asyncio.Event().wait()
    """
    source = write_plugin(tmp_path, code.format(version=1))
    await host.load(source)
    under_way = asyncio.create_task(Room(platform, host).handle(message("/go")))
    await asyncio.sleep(0)
    patience, exchange.PATIENCE = exchange.PATIENCE, 0.05
    try:
        write_plugin(tmp_path, code.format(version=2))
        await host.load(source)
        outcome = await under_way
    finally:
        exchange.PATIENCE = patience
    assert isinstance(outcome, Retry)
    assert texts(await Room(platform, host).handle(message("/go"))) == ["2"]
    await settled(host)
