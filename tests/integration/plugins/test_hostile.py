"""Plugins that do their worst: the host goes on, other plugins answer, and each event has an outcome with a reason."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.plugins.children import ECHO, write_isolated
from tests.integration.plugins.conftest import Open
from tests.integration.plugins.hostile import PATIENT, WORST
from tests.integration.plugins.test_isolated import process
from tests.unit.plugins.fakes import Platform, Room, envelope, message, replies, write_plugin

from botmatrix.sdk.context import Context
from botmatrix.worker.outcome import Dead, Done, Outcome
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.isolated import child, gate
from botmatrix.worker.plugins.isolated.gate import SILENCE
from botmatrix.worker.plugins.isolated.keeper import Pace
from botmatrix.worker.plugins.isolated.plugin import Isolation

OTHER = """
    @plugin.command("other", block=False)
    async def other(ctx): return "fine"
"""


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def longest_pause(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and for how long (s) the loop stood still at most meanwhile."""
    loop, longest = asyncio.get_running_loop(), 0.0
    task = asyncio.ensure_future(work())
    while not task.done():
        before = loop.time()
        await asyncio.sleep(0.005)
        longest = max(longest, loop.time() - before - 0.005)
    return task.result(), longest


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Dead)
    return outcome.reason


def said(params: Any) -> str:
    return str(params["message"][0]["data"]["text"])


@pytest.mark.parametrize("kind", WORST)
async def test_the_worst_of_plugins_hurts_its_own_events_only(
    open_room: Open, host: Host, tmp_path: Path, kind: str
) -> None:
    code, manifest, expected = WORST[kind]
    await host.load(write_plugin(tmp_path, OTHER, "other"))
    room = await open_room(code, **manifest)
    outcome, pause = await longest_pause(lambda: room.handle(message("/other")))
    assert [said(params) for _, params in room.platform.sent] + replies(outcome) == ["fine"]
    assert expected in reason(outcome), reason(outcome)
    assert pause < 2.0, "the worker's loop was held up"
    family = process(host)["pid"]
    await host.unload("mine")
    assert not family or gone(family)


async def test_a_forged_id_of_another_event_is_not_taken(open_room: Open, host: Host) -> None:
    room = await open_room("for m in messages(): say(id='a' * 24, ok=True, actions=[text('x')])", **PATIENT)
    handling = asyncio.create_task(room.handle(message("x")))
    await until(lambda: process(host)["lines"] == {"unknown_id": 1})
    handling.cancel()
    await asyncio.wait([handling])


async def test_a_late_answer_is_dropped_and_counted(open_room: Open, host: Host) -> None:
    room = await open_room(
        """
        import threading
        def late(m):
            time.sleep(0.8)
            reply(m, "late")
        for m in messages():
            if m["payload"]["text"] == "slow":
                threading.Thread(target=late, args=(m,)).start()
            else:
                reply(m, "quick")
        """,
        timeout_ms=500,
    )
    while await room.say("x") != ["quick"]:  # until it has started
        await asyncio.sleep(0.05)
    pid = process(host)["pid"]
    slow = asyncio.create_task(room.handle(message("slow", user_id=1), "a" * 24))
    await asyncio.sleep(0.1)
    assert await room.say("x") == ["quick"]  # it lives, so it is not killed for one slow event
    assert "handler_timeout" in reason(await slow)
    before = process(host)["lines"].get("late", 0)
    await until(lambda: process(host)["lines"].get("late", 0) == before + 1)
    assert process(host)["pid"] == pid


async def test_more_actions_than_a_hundred_are_refused(open_room: Open, host: Host) -> None:
    room = await open_room("for m in messages(): reply(m, *['x'] * 10_000)")
    assert len(await room.say("x")) == 100
    assert process(host)["refused"] == {"more than 100": 1}


async def test_who_waits_for_one_action_too_many_is_told(open_room: Open, host: Host) -> None:
    code = """
    events = messages()
    for m in events:
        for n in range(101):
            get = {"type": "storage.get", "key": "x", "correlation_id": str(n)}
            say(id=m["id"], ok=True, actions=[get], more=True)
            last = next(events)["payload"]
        say(id=m["id"], ok=False, error=last["error"])
    """
    room = await open_room(code)
    assert "more than 100 actions" in reason(await room.handle(message("x")))


async def test_what_it_asks_for_without_a_grant_is_never_done(open_room: Open, host: Host) -> None:
    everything = ["set_group_kick", "set_restart", ".handle_quick_operation", "call_skill", "storage.drop", "a b"]
    room = await open_room(
        f"""
        for m in messages():
            say(id=m["id"], ok=True, actions=[{{"type": t, "target": "5", "target_id": "456"}} for t in {everything}])
        """
    )
    outcome = await room.handle(message("x"))
    assert outcome == Done([])
    assert process(host)["refused"] == dict.fromkeys(everything, 1)


async def test_sigterm_that_is_ignored_is_followed_by_sigkill(open_room: Open, host: Host) -> None:
    room = await open_room("""
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for m in messages(): reply(m, str(os.getpid()))
        while True: time.sleep(1)
    """)
    (pid,) = await room.say("x")
    await host.unload("mine")
    assert gone(pid)


async def test_grandchildren_that_left_the_group_are_killed_too(open_room: Open, host: Host) -> None:
    room = await open_room("""
        import subprocess
        away = subprocess.Popen(["setsid", "sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE)
        pid = away.stdout.readline().decode().strip()
        for m in messages(): reply(m, pid)
    """)
    (pid,) = await room.say("x")
    assert not gone(pid)
    await host.unload("mine")
    assert gone(pid)


async def test_who_kills_its_guard_ends_itself(open_room: Open, host: Host) -> None:
    room = await open_room("""
        for m in messages():
            reply(m, str(os.getpid()))
            os.kill(os.getppid(), 9)
            time.sleep(600)
    """)
    (pid,) = await room.say("x")
    await until(lambda: gone(pid))
    await until(lambda: process(host)["restarts"] == 1)


async def test_no_secret_of_the_worker_is_in_its_environment(open_room: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:canary@127.0.0.1/0")
    room = await open_room("for m in messages(): reply(m, json.dumps(dict(os.environ)))")
    (said,) = await room.say("x")
    assert "canary" not in said
    assert "BOTMATRIX_PLUGIN" in said


async def test_what_it_wrote_before_its_end_holds_its_event_up_for_a_moment_only(
    open_room: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "RATE", 1000)
    monkeypatch.setattr(child, "BURST", 0)
    room = await open_room("for m in messages(): print(('x' * 100 + chr(10)) * 600), sys.exit(1)", **PATIENT)
    async with asyncio.timeout(15):  # to read all of it takes a minute
        assert "plugin_down" in reason(await room.handle(message("x")))


async def test_a_crashed_plugin_is_started_again(open_room: Open, host: Host) -> None:
    room = await open_room("""
        for m in messages():
            if m["payload"]["text"] == "die": sys.exit(1)
            reply(m, "alive")
    """)
    assert "plugin_down" in reason(await room.handle(message("die")))
    await until(lambda: process(host)["state"] == "running" and process(host)["restarts"] == 1)
    assert await room.say("x") == ["alive"]


async def test_an_event_does_not_wait_for_a_plugin_whose_process_is_not_there(
    platform: Platform, tmp_path: Path
) -> None:
    host = Host(platform, Isolation(platform, pace=Pace(first=60, settle=0.15)))
    await host.load(write_plugin(tmp_path, OTHER, "other"))
    await host.load(write_isolated(tmp_path, "for m in messages(): sys.exit(1)"))
    room = Room(platform, host)
    await room.handle(message("x"))
    await until(lambda: process(host)["state"] == "waiting")
    event = message("/other")
    with pytest.raises(StopIteration) as ended:
        host.handle(envelope(event, "f" * 24), event).send(None)
    outcome = ended.value.value
    assert reason(outcome) == "plugin_down: mine.on_message ended with exit code 1"
    assert replies(outcome) == ["fine"]
    assert [(step.handler, step.ended) for step in outcome.steps] == [
        ("other.other", "answered"),
        ("mine.on_message", reason(outcome)),
    ]
    await host.close()


async def test_an_event_does_not_wait_for_a_process_that_is_being_ended(open_room: Open, host: Host) -> None:
    room = await open_room(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nfor m in messages(): time.sleep(600)",
        timeout_ms=200,
    )
    assert "handler_timeout" in reason(await room.handle(message("x")))
    assert process(host)["state"] == "running"  # until it is killed
    event = message("y")
    with pytest.raises(StopIteration) as ended:
        host.handle(envelope(event, "f" * 24), event).send(None)
    assert reason(ended.value.value) == "plugin_down: mine.on_message answered nothing for 0.2 s"


async def test_a_plugin_that_hangs_does_not_take_every_place_of_the_worker(open_room: Open, host: Host) -> None:
    room = await open_room("for m in messages(): time.sleep(600)", timeout_ms=60_000, max_concurrency=4)
    loop = asyncio.get_running_loop()
    hung = [asyncio.create_task(room.handle(message("x", user_id=n), f"{n:024x}")) for n in range(4)]
    await asyncio.sleep(0.05)
    began = loop.time()
    for number in range(10):
        outcome = await room.handle(message("y", user_id=9), f"{number + 9:024x}")
        assert "busy and answers nothing" in reason(outcome)
    # Only the first of them waits that long: the silence is told from the last thing that was heard.
    assert SILENCE / 2 < loop.time() - began < 5 * SILENCE
    for task in hung:
        task.cancel()
    await asyncio.wait(hung)


async def test_nothing_outlives_a_worker_that_is_killed(tmp_path: Path, redis_url: str) -> None:
    """The whole family goes, though nobody was left to end it."""
    source = write_isolated(tmp_path, "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '600'])\n" + ECHO)
    program = f"""
import asyncio, pathlib, sys
from tests.unit.plugins.fakes import Platform
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.source import Source
async def main():
    host = Host(Platform({redis_url!r}))
    info = await host.load(Source("file", "mine", pathlib.Path({str(source.path)!r})))
    print(host.plugins[0].process["pid"], flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert worker.stdout is not None
    guard = int(await worker.stdout.readline())
    await until(lambda: len(_family(guard)) >= 2)
    family = [guard, *_family(guard)]
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    await until(lambda: all(gone(pid) for pid in family))


async def test_two_plugins_do_not_share_an_id(open_room: Open, host: Host, tmp_path: Path) -> None:
    await open_room(ECHO)
    info = await host.load(write_isolated(tmp_path, ECHO, "second", id="mine"))
    assert info.state is PluginState.FAILED
    assert "is taken" in info.error


def _family(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def gone(pid: int | str) -> bool:
    """Whether nobody runs under this number any more."""
    return not Path(f"/proc/{pid}").exists() or _zombie(pid)


def _zombie(pid: int | str) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@pytest.mark.parametrize(
    ("code", "expected"), [("for m in messages(): sys.exit(1)", "exit code 1"), ("time.sleep(600)", "answers nothing")]
)
async def test_events_that_fail_leave_nothing_to_the_collector_of_garbage(
    open_room: Open, monkeypatch: pytest.MonkeyPatch, code: str, expected: str
) -> None:
    monkeypatch.setattr(gate, "SILENCE", 0.1)
    room = await open_room(code, max_concurrency=1, **PATIENT)
    gc.collect()
    gc.disable()
    try:
        handling = [asyncio.create_task(room.handle(message("x"), f"{n:024x}")) for n in range(4)]
        left = set(handling)
        async with asyncio.timeout(15):
            while len(left) > 1:
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                assert all(expected in reason(task.result()) for task in done)
                del done
        assert sum(type(found) is Context for found in gc.get_objects()) == len(left)
    finally:
        gc.enable()
    for task in left:
        task.cancel()
