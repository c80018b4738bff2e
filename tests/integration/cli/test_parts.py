"""What a part does around its work: here, that its log follows the settings while it runs."""

from __future__ import annotations

import logging as standard
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from botmatrix.cli.parts import logging
from botmatrix.config import Current, Stored, load


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = standard.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_another_log_level_counts_at_once_for_loggers_that_exist(
    home: Path, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    current, log = Current(load(home, {"redis_url": redis_url}, {})), structlog.get_logger("old")
    with logging("nexus", current.running) as configure:
        current.watch(configure)
        for level in ("debug", "error", None):
            current.take(Stored({"log_level": level} if level else {}))
            log.debug(f"a small thing at {level}")
            log.info(f"a thing at {level}")
            log.error(f"a wrong thing at {level}")
    said = capsys.readouterr().out
    assert [line.split(maxsplit=2)[2] for line in said.splitlines()] == [
        "a small thing at debug",
        "a thing at debug",
        "error: a wrong thing at debug",
        "error: a wrong thing at error",
        "a thing at None",
        "error: a wrong thing at None",
    ]


def test_a_token_that_came_later_is_masked(home: Path, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    current = Current(load(home, {"redis_url": redis_url}, {}))
    with logging("nexus", current.running) as configure:
        current.watch(configure)
        current.take(Stored({"worker_token": "a-canary-of-a-token"}))
        structlog.get_logger().info("heard a-canary-of-a-token")
    assert "canary" not in capsys.readouterr().out
