"""Pipes of plugins that write too much, and of some that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.isolated.lines import LONGEST
from botmatrix.worker.plugins.isolated.reading import CHUNK, LINE, MOST_JUNK, Reading

MANY = 1 << 40
LINES = CHUNK // 2


class Pipe:
    """Reads a pipe that gave these bytes and was closed; whose lines are of use if they begin with `{`."""

    def __init__(self, data: bytes, *, rate: int = MANY, burst: int = MANY, log: bool = False) -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        self.lines: list[bytes] = []
        self.enough, self.figures = 0, Figures()
        enough = None if log else self._enough
        self.reading = Reading(stream, self._take, enough, self.figures, rate=rate, burst=burst)

    def _take(self, line: bytes) -> bool:
        self.lines.append(line)
        return line.startswith(b"{")

    def _enough(self) -> None:
        self.enough += 1


async def turns_of_others(work: Callable[[], asyncio.Future[None]]) -> int:
    """How often somebody else was at it while this was done."""
    task, turns = work(), 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    task.result()
    return turns


async def test_each_line_is_taken_and_empty_ones_are_none() -> None:
    pipe = Pipe(b"{one\n\n  \ntwo\nhalf")
    await pipe.reading.run()
    assert pipe.lines == [b"{one", b"two"]
    assert pipe.enough == 0


async def test_answers_are_never_too_much() -> None:
    pipe = Pipe(b"{\n" * (MOST_JUNK // LINE + LINES))
    await pipe.reading.run()
    assert pipe.enough == 0


async def test_lines_of_no_use_are_enough_some_time() -> None:
    most = MOST_JUNK // LINE
    pipe = Pipe(b"x\n" * (most - 1))
    await pipe.reading.run()
    assert pipe.enough == 0
    for line in (b"x\n", b"\n"):
        pipe = Pipe(line * (most + 2 * LINES))
        await pipe.reading.run()
        assert pipe.enough == 1


async def test_a_line_that_is_too_long_is_thrown_away_and_counted() -> None:
    pipe = Pipe(b"{" * (LONGEST + 2 * CHUNK) + b"\n{after\n")
    await pipe.reading.run()
    assert pipe.lines == [b"{after"]
    assert pipe.figures.lines == {"too_long": 1}
    assert pipe.enough == 0


async def test_a_line_without_an_end_is_enough_some_time() -> None:
    pipe = Pipe(b"{" * (MOST_JUNK + LONGEST + 2 * CHUNK) + b"\n{after\n")
    await pipe.reading.run()
    assert pipe.lines == []
    assert pipe.enough == 1


async def test_nothing_is_read_when_it_was_enough_but_of_a_log_all_is() -> None:
    for log in (False, True):
        pipe = Pipe(b"x\n" * (MOST_JUNK // LINE + 4 * LINES), log=log)
        await pipe.reading.run()
        assert pipe.enough == (not log)
        assert (len(pipe.lines) == MOST_JUNK // LINE + 4 * LINES) == log


async def test_others_have_their_turn_among_the_lines_of_one_chunk() -> None:
    for line in (b"\n", b"x\n", b"{\n"):
        pipe = Pipe(line * (CHUNK // len(line)))
        assert await turns_of_others(lambda pipe=pipe: asyncio.ensure_future(pipe.reading.run())) > 5  # type: ignore[misc]


async def test_no_more_than_its_rate_is_read() -> None:
    pipe = Pipe(b"{" * 9999 + b"\n", rate=20_000, burst=2_000)
    began = asyncio.get_running_loop().time()
    await pipe.reading.run()
    assert asyncio.get_running_loop().time() - began >= 0.39
