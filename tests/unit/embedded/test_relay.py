"""Children's output, line by line."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from botmatrix.embedded.relay import LONGEST, Relay


def logged(line: bytes, *, engine: bool = False) -> list[dict[str, object]]:
    relay = Relay("child", engine=engine)
    with capture_logs() as found:
        relay.line(line)
    return [dict(entry) for entry in found]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b"LOG:  database system is ready to accept connections", "debug"),
        (b"ERROR:  relation does not exist", "warning"),
        (b"FATAL:  the database system is starting up", "debug"),
        (b"PANIC:  could not write to file", "warning"),
        (b"12:M 21 Nov 2026 10:00:00.000 * Ready to accept connections tcp", "debug"),
        (b"12:M 21 Nov 2026 10:00:00.000 # Can't save in background: fork: Out of memory", "warning"),
        (b"12:M 21 Nov 2026 10:00:00.000 # WARNING Memory overcommit must be enabled!", "debug"),
    ],
)
def test_engine_is_heard_when_something_is_wrong(line: bytes, level: str) -> None:
    assert [entry["log_level"] for entry in logged(line, engine=True)] == [level]


def test_part_writes_json_and_keeps_its_fields() -> None:
    line = b'{"event": "bot online", "level": "error", "timestamp": "x", "part": "other", "self": 1, "bot": "qq:1"}'
    assert logged(line) == [{"event": "bot online", "log_level": "error", "part": "child", "bot": "qq:1"}]


@pytest.mark.parametrize("line", [b"{", b"{}", b'{"a": 1}', b"[1]", b'"x"', b"\xff\xfe", b"Traceback:"])
def test_anything_else_is_a_line_of_text(line: bytes) -> None:
    (entry,) = logged(line)
    assert entry["event"] == line.decode(errors="replace")
    assert entry["log_level"] == "info"


def test_blank_lines_are_left_out() -> None:
    assert logged(b"  \n") == []


def test_long_line_is_cut() -> None:
    (entry,) = logged(b"x" * 100_000)
    assert len(str(entry["event"])) < LONGEST + 20


async def test_line_beyond_the_streams_limit_does_not_end_the_reading() -> None:
    stream = asyncio.StreamReader(limit=1000)
    stream.feed_data(b"x" * 5000 + b"\nafter\nlast words")
    stream.feed_eof()
    relay = Relay("child", engine=False)
    with capture_logs() as found:
        await relay.read(stream)
    assert [entry["event"] for entry in found][-2:] == ["after", "last words"]
    assert relay.last_words[-1] == "last words"
