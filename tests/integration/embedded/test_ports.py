"""Ports of the embedded engines."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from botmatrix.config import Home, load
from botmatrix.embedded.ports import free_port, kept_port, problem


@pytest.fixture
def place(home: Path) -> Home:
    return load(home, {}, {}).home


def test_port_is_kept(place: Home) -> None:
    assert kept_port(place, "valkey") == kept_port(place, "valkey")


def test_engines_have_ports_of_their_own(place: Home) -> None:
    assert kept_port(place, "valkey") != kept_port(place, "postgres")


def test_port_that_somebody_took_is_replaced(place: Home) -> None:
    before = kept_port(place, "valkey")
    with socket.create_server(("127.0.0.1", before)):
        after = kept_port(place, "valkey")
    assert after != before
    assert kept_port(place, "valkey") == after


@pytest.mark.parametrize("text", ["", "[]", '{"valkey": "x"}', '{"valkey": 22}', '{"valkey": 99999}'])
def test_broken_note_of_ports_is_written_anew(place: Home, text: str) -> None:
    (place.run / "ports.json").write_text(text)
    assert 1024 <= kept_port(place, "valkey") <= 65535


def test_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert problem("127.0.0.1", server.getsockname()[1]) == "another program listens on it"


def test_foreign_address_is_explained() -> None:
    assert problem("192.0.2.1", free_port()) == "this machine has no such address"


def test_free_port_has_no_problem() -> None:
    assert problem("127.0.0.1", free_port()) == ""
    assert problem("127.0.0.1", 0) == ""
