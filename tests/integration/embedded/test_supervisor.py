"""`up`'s supervisor: start, restart, ordered stop, and what a kill -9 leaves behind."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.integration.embedded.conftest import UpProcess, is_gone, wait_until

from botmatrix.config import load
from botmatrix.embedded import running
from botmatrix.errors import EngineUnavailable

Start = Callable[..., UpProcess]


def test_engines_are_up_before_the_parts_and_their_urls_are_handed_on(start_up: Start, home: Path) -> None:
    up = start_up("nexus=1=looks")
    text = up.wait_for("sees 127.0.0.1:")
    assert "READY" in up.wait_for("READY")
    assert re.search(r"sees 127\.0\.0\.1:\d+/0 127\.0\.0\.1:\d+/botmatrix", text)
    assert up.end() == 0


def test_secrets_are_neither_on_command_lines_nor_in_the_log(start_up: Start, home: Path) -> None:
    up = start_up("nexus=1=lives")
    up.wait_for("alive")
    secrets = load(home, {}, {}).home.secret_values().values()
    lines = [" ".join(psutil.Process(pid).cmdline()) for pid in up.children.values()]
    for secret in secrets:
        assert not any(secret in line for line in lines)
        assert secret not in up.text


def test_everything_stops_in_order(start_up: Start) -> None:
    up = start_up("nexus=1=lives", "control=2=lives", "worker=3=lives")
    up.wait_for("alive", count=3)
    children = dict(up.children)
    assert up.end(signal.SIGINT) == 0
    ended = [re.search(rf"{name} +got SIGTERM", up.text) for name in ("worker", "control", "nexus")]
    places = [match.start() for match in ended if match]
    places.append(up.text.index("fast shutdown request"))
    assert len(places) == 4
    assert places == sorted(places)
    assert all(is_gone(pid) for pid in children.values())


def test_second_up_on_the_same_home_says_who_holds_it(start_up: Start, home: Path) -> None:
    first = start_up("nexus=1=lives")
    first.wait_for("READY")
    second = start_up()
    assert second.process.wait(10) == 1
    assert f"BotMatrix already runs on {home} (process {first.process.pid}, since 20" in second.text
    assert "--home" in second.text
    assert first.process.poll() is None


def test_crashed_part_is_named_and_started_again(start_up: Start) -> None:
    up = start_up("nexus=1=lives", "worker=3=crashes")
    text = up.wait_for("alive", count=3)
    assert re.search(r"worker +warning: ended, will start again +how='exit 3' +seconds=1\.0", text)


def test_killed_part_is_started_again_and_what_it_started_is_not_left_behind(start_up: Start) -> None:
    up = start_up("worker=3=forks")
    up.wait_for("grandchild=")
    found = re.search(r"grandchild=(\d+)", up.text)
    assert found is not None
    os.kill(up.children["worker"], signal.SIGKILL)
    text = up.wait_for("grandchild=", count=2)
    assert "how='killed by SIGKILL'" in text
    assert is_gone(int(found[1]))


@pytest.mark.parametrize("engine", ["valkey", "postgres"])
def test_killed_engine_comes_back_on_its_port_while_the_parts_run_on(start_up: Start, home: Path, engine: str) -> None:
    up = start_up("nexus=1=lives")
    up.wait_for("alive")
    before, nexus = up.children[engine], up.children["nexus"]
    urls = running.find(load(home, {}, {}).home)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: up.children.get(engine, before) != before, up.log)
    word = "Ready to accept connections" if engine == "valkey" else "ready to accept connections"
    up.wait_for(word, count=2)
    assert running.find(load(home, {}, {}).home) == urls
    assert up.children["nexus"] == nexus
    assert up.end() == 0


def test_part_that_does_not_listen_is_killed_after_its_time(start_up: Start) -> None:
    up = start_up("worker=3=deaf")
    up.wait_for("alive")
    assert up.end() == 0
    assert "did not end in time and was killed" in up.text


def test_second_ctrl_c_does_not_wait(start_up: Start) -> None:
    up = start_up("worker=3=deaf")
    up.wait_for("alive")
    up.process.send_signal(signal.SIGINT)
    assert up.end(signal.SIGINT) == 0


def test_wrong_setting_of_a_part_ends_everything_with_its_code(start_up: Start) -> None:
    up = start_up("nexus=1=misconfigured", "worker=3=lives")
    assert up.process.wait(30) == 78
    assert "expected a port" in up.text
    assert up.text.count("a setting is wrong") == 1


def test_superseded_part_stays_away_and_the_others_go_on(start_up: Start) -> None:
    up = start_up("nexus=1=lives", "worker=3=superseded")
    up.wait_for("superseded by a newer process")
    assert up.process.poll() is None
    assert up.text.count("ended for good") == 1
    assert up.end() == 0


def test_log_lines_of_parts_keep_their_level_and_fields(start_up: Start) -> None:
    text = start_up("nexus=1=logs").wait_for("bot online")
    assert re.search(r"nexus +warning: bot online  bot=qq:1", text)


def test_endless_line_does_not_stop_the_log(start_up: Start) -> None:
    assert "after" in start_up("worker=3=fat").wait_for("after")


def test_children_end_with_an_up_that_was_killed(start_up: Start) -> None:
    up = start_up("nexus=1=lives", "worker=3=lives")
    up.wait_for("alive", count=2)
    children = up.children
    assert {"valkey", "postgres", "nexus", "worker"} == set(children)
    up.end(signal.SIGKILL)
    wait_until(lambda: all(is_gone(pid) for pid in children.values()), up.log)


def test_up_after_a_killed_up_stops_what_is_left_and_runs(start_up: Start) -> None:
    first = start_up("worker=3=deaf")
    first.wait_for("alive")
    left = first.children
    first.end(signal.SIGKILL)
    second = start_up("worker=3=lives")
    second.wait_for("alive", count=2)
    assert "stopped what an earlier run left behind" in second.text
    assert is_gone(left["worker"])
    assert is_gone(left["valkey"])
    assert second.end() == 0


def test_process_that_reuses_a_number_is_not_touched(start_up: Start, home: Path) -> None:
    run = home / "run"
    run.mkdir()
    (run / "children.json").write_text(f'{{"nexus": {{"pid": {os.getpid()}, "started": 5.0, "signal": 9}}}}')
    start_up().wait_for("READY")


def test_stop_while_engines_start_leaves_nothing(start_up: Start, home: Path) -> None:
    up = start_up("nexus=1=lives")
    wait_until(lambda: (home / "run" / "children.json").exists(), up.log)
    assert up.end() == 0
    assert (home / "run" / "children.json").read_text() == "{}"


def test_place_of_the_engines_is_private_and_withdrawn_at_the_end(start_up: Start, home: Path) -> None:
    up = start_up()
    up.wait_for("READY")
    place = home / "run" / "engines.json"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    settings = load(home, {}, {})
    assert running.connected(settings).redis_url.startswith("redis://:")
    up.end()
    assert not place.exists()
    with pytest.raises(EngineUnavailable, match="botmatrix up"):
        running.connected(settings)


def test_urls_of_a_killed_up_are_not_trusted(start_up: Start, home: Path) -> None:
    up = start_up()
    up.wait_for("READY")
    up.end(signal.SIGKILL)
    assert (home / "run" / "engines.json").exists()
    assert running.find(load(home, {}, {}).home) is None
