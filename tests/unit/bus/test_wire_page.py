"""docs/wire.md names every key, field and script there is, and none that is not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import msgspec
import pytest

from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import ALL

PAGE = (Path(__file__).parents[3] / "docs" / "wire.md").read_text("utf-8")
KEYS = Keys()


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> set[str]:
    cells = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def made_names() -> set[str]:
    """Every name that `Keys` makes, its arguments as in the page."""
    arguments = {"inc": "{inc}", "nexus": "{inc}", "worker_id": "{id}", "name": "{id}", "lane": "{id}"}
    arguments |= {"digest": "{hash16}", "bot": "{platform}:{self_id}", "action_id": "{action id}"}
    arguments |= {"step": "{step}", "attempt": "{attempt}"}
    arguments |= {"day_kind": "{day}:{kind}", "person": "{platform}:{user}", "conversation": "{conversation}"}
    arguments |= {"plugin": "{id}", "limit": "{limit}", "server": "{name}", "token": "{token}"}
    arguments |= {"sha256": "{sha256}"}
    names = {value for name, value in vars(KEYS).items() if name not in ("prefix", "results")}
    for name, method in inspect.getmembers(KEYS, inspect.ismethod):
        if not name.startswith("_"):
            (argument,) = inspect.signature(method).parameters
            names.add(method(arguments[argument]))
    names |= {KEYS.lane(place) for place in ("default", "wait:{targets}", "away:{targets}")}
    return {name.removeprefix(KEYS.prefix) for name in names}


def test_the_page_has_every_key_and_no_other() -> None:
    assert first_cells(section("Keys")) == made_names()


@pytest.mark.parametrize(
    ("title", "kind"), [("The entry of a lane", Envelope), ("The entry of an action stream", ActionEntry)]
)
def test_the_page_has_every_field_of_an_entry(title: str, kind: type[msgspec.Struct]) -> None:
    assert first_cells(section(title)) == set(kind.__struct_fields__)


def test_the_page_has_every_script() -> None:
    assert first_cells(section("Scripts")) == {script.name for script in ALL}
