"""The log: readable, without secrets, never in the way."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from botmatrix import log


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(format: str = "console", level: str = "info", secrets: tuple[str, ...] = ()) -> io.StringIO:
    file = io.StringIO()
    log.configure(part="nexus", level=level, format=format, secrets=secrets, file=file)
    return file


def test_line_names_time_part_event_and_details() -> None:
    file = lines()
    structlog.get_logger().info("bot online", bot="qq:1", name="a b")
    time, part, rest = file.getvalue().split(maxsplit=2)
    assert len(time) == 8
    assert part == "nexus"
    assert rest == "bot online  bot=qq:1  name='a b'\n"


def test_json_line_is_one_object() -> None:
    file = lines("json")
    structlog.get_logger().warning("bot offline", bot="qq:1", odd=object)
    found = json.loads(file.getvalue())
    assert (found["part"], found["level"], found["event"], found["bot"]) == ("nexus", "warning", "bot offline", "qq:1")


@pytest.mark.parametrize(
    "text",
    [
        "ws://h/ws?access_token=canary-1234&x=1",
        "GET /ws?token=canary-1234",
        "Authorization: Bearer canary-1234",
        "redis://:canary-1234@h:1/0",
        "postgresql://user:canary-1234@h/d",
        "{'token': 'canary-1234'}",
        '{"password": "canary-1234"}',
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    file = lines()
    structlog.get_logger().info(text, again=text)
    assert "canary" not in file.getvalue()
    assert "***" in file.getvalue()


def test_known_secrets_are_masked_wherever_they_are() -> None:
    file = lines(secrets=("my-secret-value", ""))
    try:
        raise ValueError("it was my-secret-value")
    except ValueError:
        structlog.get_logger().exception("failed", url="http://h/my-secret-value")
    assert "my-secret-value" not in file.getvalue()
    assert "ValueError" in file.getvalue()


def test_name_with_line_breaks_and_terminal_codes_stays_on_its_line() -> None:
    file = lines()
    structlog.get_logger().info("hello \x1b[31m\nfake line", nickname="x\n12:00:00 up fake\x1b[0m")
    assert file.getvalue().count("\n") == 1
    assert "\x1b" not in file.getvalue()


def test_levels_below_the_setting_are_left_out() -> None:
    file = lines(level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    assert file.getvalue() == ""


def test_libraries_log_into_the_same_stream() -> None:
    file = lines()
    logging.getLogger("library").warning("it is %s", "late")
    assert "warning: it is late" in file.getvalue()


def test_masking_a_huge_line_is_linear() -> None:
    file = lines(secrets=("known-secret",))
    begun = time.process_time()
    for text in ("x" * 1_000_000, "http://" * 150_000, "token=" * 150_000):
        structlog.get_logger().info(text)
    assert time.process_time() - begun < 5
    assert len(file.getvalue()) > 1_000_000


class FullDisk(io.StringIO):
    def write(self, text: str, /) -> int:
        raise OSError(28, "No space left on device")


def test_full_disk_loses_lines_and_nothing_else() -> None:
    log.configure(part="nexus", file=FullDisk())
    structlog.get_logger().info("lost")


def test_closed_output_loses_lines_and_nothing_else() -> None:
    file = lines()
    file.close()
    structlog.get_logger().info("lost")
