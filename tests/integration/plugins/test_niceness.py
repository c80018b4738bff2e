"""What the processes of plugins are worth to a full machine."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from tests.integration.plugins.children import write_isolated
from tests.integration.plugins.conftest import Open
from tests.integration.plugins.test_hostile import until
from tests.integration.plugins.test_isolated import process
from tests.unit.plugins.fakes import Platform, Room, message

from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.isolated.guard import NICE, NICEST
from botmatrix.worker.plugins.isolated.keeper import Pace
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="the processor is not divided among sessions"
)


async def test_the_worker_comes_before_it_whichever_way_the_processor_is_divided(open_room: Open) -> None:
    room = await open_room("for m in messages(): reply(m, f'{os.nice(0)} {open(\"/proc/self/autogroup\").read()}')")
    async with asyncio.timeout(10):  # Linux takes one such wish each 0.1 s
        while not (said := (await room.say("x"))[0]).endswith(f"nice {NICE}\n"):
            await asyncio.sleep(0.05)
    assert said.split()[0] == str(os.nice(0) + NICE)


async def test_one_that_only_computes_comes_after_all_others_until_it_has_done(open_room: Open, host: Host) -> None:
    room = await open_room("""
        for m in messages():
            while os.path.exists("compute"): pass
            reply(m, "done")
    """)
    compute = Path(host.plugins[0].source, "compute")
    await asyncio.to_thread(compute.touch)

    computing = asyncio.create_task(room.handle(message("x")))
    await until(lambda: _place_of(host) == str(NICEST))
    await asyncio.to_thread(compute.unlink)
    await computing
    await until(lambda: _place_of(host) == str(NICE))


async def test_that_it_has_started_is_heard_though_it_is_said_before_the_guard_can_hear(
    platform: Platform, tmp_path: Path
) -> None:
    host = Host(platform, Isolation(platform, pace=Pace(settle=0)))
    await host.load(write_isolated(tmp_path, "while True: pass"))
    await until(lambda: _place_of(host) == str(NICEST))
    await host.close()


async def test_one_that_only_computes_may_tidy_up_at_its_end(open_room: Open, host: Host) -> None:
    room = await open_room(f"""
        import signal
        def leave(*_):
            while not open("/proc/self/autogroup").read().endswith("nice {NICE}\\n"): pass
            open("tidy", "w").close()
            os._exit(0)
        signal.signal(signal.SIGTERM, leave)
        for m in messages():
            while True: pass
    """)
    computing = asyncio.create_task(room.handle(message("x")))
    await until(lambda: _place_of(host) == str(NICEST))
    tidy = Path(host.plugins[0].source, "tidy")
    await host.unload("mine")
    assert await asyncio.to_thread(tidy.exists)
    await computing


async def test_what_computes_in_a_session_of_its_own_comes_after_all_others_too(open_room: Open) -> None:
    room = await open_room("""
        import subprocess
        away = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"], start_new_session=True)
        for m in messages(): reply(m, open(f"/proc/{away.pid}/autogroup").read())
    """)
    async with asyncio.timeout(10):
        while not (await room.say("x"))[0].endswith(f"nice {NICEST}\n"):
            await asyncio.sleep(0.05)


async def test_it_may_compute_until_it_has_started(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "plugin.json").write_text(json.dumps({"id": "mine", "isolation": "process"}))
    (tmp_path / "mine" / "plugin.py").write_text("""
import pathlib, time
from botmatrix import Plugin
plugin, until, places = Plugin(id="mine"), time.monotonic() + 1.5, []
while time.monotonic() < until: places.append(pathlib.Path("/proc/self/autogroup").read_text().split()[-1])
@plugin.command("places")
async def tell(ctx): return " ".join(sorted(set(places)))
""")
    host = Host(platform, Isolation(platform))
    await host.load(Source("file", "mine", tmp_path / "mine"))
    assert str(NICEST) not in (await Room(platform, host).say("/places"))[0].split()
    await host.close()


def _place_of(host: Host) -> str:
    """The niceness of its session."""
    return Path(f"/proc/{process(host)['pid']}/autogroup").read_text().split()[-1]
