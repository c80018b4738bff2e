"""Listings."""

from __future__ import annotations

import json

import pytest

from botmatrix.cli.common import show, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([["a", "1"], ["long", "22"]], ("name", "in_flight")) == ["NAME  IN FLIGHT", "a     1", "long  22"]


def test_json_has_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"a": 1, "b": "ü"}], ("a",), as_json=True, empty="none")
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "b": "ü"}]


def test_empty_listing_says_so_and_is_an_empty_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    show([], ("a",), as_json=False, empty="There are none.")
    show([], ("a",), as_json=True, empty="There are none.")
    assert capsys.readouterr().out == "There are none.\n[]\n"


def test_terminal_codes_in_a_name_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"a": "\x1b[31m", "c": 1.26}], ("a", "b", "c"), as_json=False, empty="")
    assert capsys.readouterr().out == "A      B  C\n?[31m     1.3\n"
