"""What a process tells of the clock is not believed."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from botmatrix.worker.plugins.isolated.lines import BadLine, Hello, ToldCron, read
from botmatrix.worker.plugins.isolated.plugin import IsolatedPlugin
from botmatrix.worker.plugins.isolated.ticks import SPARE, made

NOBODY = cast("IsolatedPlugin", None)
GOOD = {"name": "tick", "expression": "* * * * *", "tz": "UTC", "timeout": 1}


def hello(**cron: Any) -> Hello:
    told = {"id": "mine", "name": "", "version": "", "description": "", "events": [], "crons": [{**GOOD, **cron}]}
    found = read(json.dumps({"type": "hello", **told}).encode())
    assert isinstance(found, Hello)
    return found


def test_a_time_table_is_taken_as_it_is_told() -> None:
    (told,) = hello().crons
    cron = made(told, NOBODY)
    assert (cron.name, cron.expression, cron.zone.key) == ("tick", "* * * * *", "UTC")
    assert cron.timeout > told.timeout + SPARE


@pytest.mark.parametrize(
    "cron", [{"name": "a.b"}, {"name": ""}, {"timeout": 0}, {"timeout": 1e9}, {"expression": "*" * 300}, {"tz": 1}]
)
def test_what_is_no_such_thing_is_no_hello(cron: dict[str, Any]) -> None:
    with pytest.raises(BadLine, match="no_hello"):
        hello(**cron)


@pytest.mark.parametrize(("expression", "tz"), [("never", "UTC"), ("* * * * *", "../../etc/passwd")])
def test_what_is_no_time_is_refused(expression: str, tz: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        made(ToldCron("tick", expression, tz, 1), NOBODY)
