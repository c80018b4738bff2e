"""What `up` runs, and with which settings."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from botmatrix.cli.up import environment, parts, refuse_taken_ports, with_ports, worker_id
from botmatrix.cli.welcome import Welcome, reachable
from botmatrix.config import load
from botmatrix.errors import ConfigError


def test_workers_stop_before_the_nexus_stops(home: Path) -> None:
    found = parts(load(home, {}, {}), workers=2)
    order = [part.name for part in sorted(found, key=lambda part: -part.stage)]
    assert order == ["worker-1", "worker-2", "control", "nexus"]


def test_one_worker_is_called_worker(home: Path) -> None:
    assert [part.name for part in parts(load(home, {}, {}), workers=1)] == ["nexus", "control", "worker"]


def test_up_without_workers_is_possible(home: Path) -> None:
    assert [part.name for part in parts(load(home, {}, {}), workers=0)] == ["nexus", "control"]


def test_worker_keeps_its_id_from_start_to_start(home: Path) -> None:
    assert worker_id(load(home, {}, {}), 1, 2) == worker_id(load(home, {}, {}), 1, 2)
    assert worker_id(load(home, {}, {}), 1, 2) != worker_id(load(home, {}, {}), 2, 2)


def test_worker_id_that_was_set_is_used(home: Path) -> None:
    settings = load(home, {}, {"WORKER_ID": "mine"})
    assert worker_id(settings, 1, 1) == "mine"
    assert [worker_id(settings, number, 2) for number in (1, 2)] == ["mine-1", "mine-2"]


def test_longest_worker_id_stays_valid(home: Path) -> None:
    found = worker_id(load(home, {}, {"WORKER_ID": "x" * 64}), 64, 64)
    assert load(home, {}, {"WORKER_ID": found}).worker_id == found


def test_parts_read_the_same_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_ADDR", "h:1")
    settings = load(home, {"ws_port": 4001, "webui_port": 4002})
    given = environment(settings)
    assert "REDIS_ADDR" not in given, "they get REDIS_URL, whole"
    again = load(None, {}, given)
    assert (again.home.root, again.ws_port, again.webui_port) == (home, 4001, 4002)
    assert again.bot_token == settings.bot_token


def test_port_zero_becomes_a_free_one(home: Path) -> None:
    settings = with_ports(load(home, {"ws_port": 0, "webui_port": 0}, {}))
    assert settings.ws_port > 0
    assert settings.webui_port not in (0, settings.ws_port)


@pytest.mark.parametrize("key", ["ws_port", "webui_port"])
def test_taken_port_names_the_setting_to_change(home: Path, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = with_ports(load(home, {"ws_port": 0, "webui_port": 0, key: server.getsockname()[1]}, {}))
        with pytest.raises(ConfigError, match=f"{key.upper()}") as caught:
            refuse_taken_ports(settings)
    assert "another program listens on it" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("h.lan", "h.lan")],
)
def test_address_for_people(host: str, address: str) -> None:
    assert reachable(host) == address


def test_welcome_shows_where_to_go_and_the_password_of_the_first_start_only(home: Path) -> None:
    settings = load(home, {}, {"ROOT_PATH": "/bots"})
    said: list[str] = []
    first = Welcome(settings, said.append)
    settings.home.write_private(settings.home.admin_password, "first-password\n")
    text = "\n".join(first.lines(""))
    assert "http://127.0.0.1:3002/bots" in text
    assert "ws://127.0.0.1:3001/onebot/v11/ws" in text
    assert settings.bot_token in text
    assert "first-password" in text
    assert "first-password" not in "\n".join(Welcome(settings, said.append).lines(""))


@pytest.mark.parametrize(("host", "told"), [("127.0.0.1", False), ("0.0.0.0", True), ("::", True), ("h.lan", False)])
def test_welcome_says_that_other_machines_need_another_address(home: Path, host: str, told: bool) -> None:
    lines = Welcome(load(home, {"gateway_host": host}, {}), print).lines("")
    assert any("from other machines" in line for line in lines) is told


def test_welcome_says_what_is_not_ready(home: Path) -> None:
    lines = Welcome(load(home, {}, {}), print).lines("redis: away")
    assert any("not ready yet: redis: away" in line for line in lines)
