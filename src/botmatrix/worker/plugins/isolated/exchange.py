"""What is asked of a plugin's process and not yet answered. Answers are matched by ids that only the host makes."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botmatrix.worker.plugins.isolated import lines
from botmatrix.worker.plugins.isolated.figures import Figures
from botmatrix.worker.plugins.isolated.lines import MOST_ACTIONS, Answer, BadLine, Call, Hello

REMEMBERED = 512
"""Ids that have their answer or were given up, whose late answers are no forgeries."""
MOST_WAITING = 4 << 20
"""Bytes of answers to one message that may wait until what came before them is done."""
APART = 0.002
"""Seconds between two events that fail because the process ended: each costs the worker a part of a millisecond."""
NO_ANSWER = "re-"
"""What the ids of messages begin with that need no answer."""


class PluginError(Exception):
    """The plugin said that it could not do it, or what it said can't be taken; says why. `again`: it may be tried."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        self.again = again
        super().__init__(reason)


class PluginDown(PluginError):
    """The plugin's process is not there, ended while it worked on this, or does not answer."""


class Pending:
    """One message that waits for its answer, or for several."""

    __slots__ = ("_actions", "_answers", "_bytes", "_waiter", "id")

    def __init__(self, id: str) -> None:
        self.id = id
        self._answers: deque[tuple[Answer | Exception, int]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._bytes = self._actions = 0

    def take(self, answer: Answer, size: int) -> bool:
        """Put what the process said in so many bytes; whether it was of use. Who says too much at once fails."""
        if self._bytes > MOST_WAITING or (self._answers and answer.ok and answer.more and not answer.actions):
            return False  # that more will come is said by what waits already
        self._bytes += size
        self._actions += len(answer.actions)
        is_too_much = self._bytes > MOST_WAITING
        self.put(PluginError("said more than could be done meanwhile") if is_too_much else answer, size)
        return not answer.more or len(answer.actions) == 1 or (bool(answer.actions) and self._actions <= MOST_ACTIONS)

    def put(self, answer: Answer | Exception, size: int = 0) -> None:
        """What came for it."""
        self._answers.append((answer, size))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def poke(self) -> None:
        """Wake who waits, so that the time limit is counted anew: nothing was said, more will be."""
        self.put(Answer(self.id, True, [], "", True))

    def _expire(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    async def next(self, timeout: float | None) -> Answer:
        """The next answer. Raises `PluginError`, and `TimeoutError` after so many seconds (None: never)."""
        if not self._answers:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = None if timeout is None else loop.call_later(timeout, self._expire)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        answer, size = self._answers.popleft()
        self._bytes -= size
        if isinstance(answer, Answer):
            return answer
        try:
            raise answer
        finally:
            del answer  # its traceback has this frame: each would keep the other until the collector comes


class Exchange:
    """Sends lines through `write` and hands each answer to whoever asked; other lines are counted and dropped."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._pending: dict[str, Pending] = {}
        self._numbers = itertools.count(1)
        self._salt = secrets.token_hex(4)
        self._gone: dict[str, None] = {}
        self.write: Callable[[bytes], bool] | None = None
        self.on_hello: Callable[[Hello], None] | None = None
        self.on_call: Callable[[Call], None] | None = None
        self._turn_at = 0.0
        self.heard = 0
        """Valid answers so far; whoever waits sees by it that the process is alive."""
        self.heard_at = 0.0
        """When the last one came, by the loop's clock."""

    @property
    def waiting(self) -> int:
        """Messages without an answer."""
        return len(self._pending)

    @contextmanager
    def ask(self, name: str, payload: Mapping[str, Any], *, id: str) -> Iterator[Pending]:
        """Send a message and wait for what it brings inside the block. Raises `PluginDown`, `PluginError`."""
        pending = Pending(f"{id}-{self._salt}{next(self._numbers):x}")
        self._send("event", pending.id, name, payload, "")
        self._pending[pending.id] = pending
        try:
            yield pending
        finally:
            del self._pending[pending.id]
            self._remember(pending.id)

    def tell(self, kind: str, name: str, payload: Mapping[str, Any], correlation_id: str) -> bool:
        """Send a message that needs no answer; one that can't be sent is dropped: False."""
        id = f"{NO_ANSWER}{self._salt}{next(self._numbers):x}"
        try:
            self._send(kind, id, name, payload, correlation_id)
        except PluginError:
            self._figures.lines["not_sent"] += 1
            return False
        return True

    def received(self, line: bytes) -> bool:
        """A line of the process; whether it was of use."""
        try:
            found = lines.read(line)
        except BadLine as error:
            self._figures.lines[error.reason] += 1
            return False
        if isinstance(found, Hello):
            return self._greeted(found)
        if isinstance(found, Call):
            return self._called(found)
        pending = self._pending.get(found.id)
        if pending is None and found.id.startswith(NO_ANSWER):
            return False  # a courtesy
        if pending is None:
            self._figures.lines["late" if found.id in self._gone else "unknown_id"] += 1
            return False
        self.heard += 1
        self.heard_at = asyncio.get_running_loop().time()
        return pending.take(found, len(line))

    def _greeted(self, hello: Hello) -> bool:
        if self.on_hello is not None:
            self.on_hello(hello)
        return False

    def _called(self, call: Call) -> bool:
        if self.on_call is None:
            self._figures.lines["no_answer"] += 1
            return False
        self.on_call(call)
        return True

    def lost(self, reason: str) -> None:
        """The process has ended: nobody will be answered."""
        self.write = None
        loop = asyncio.get_running_loop()
        for pending in self._pending.values():
            loop.call_at(self._turn(), pending.put, PluginDown(reason))

    def down(self) -> str:
        """Why there is no process; empty when there is one."""
        return "" if self.write is not None else self._figures.error or "is not running"

    def check(self) -> None:
        """Raises `PluginDown` when there is no process."""
        if why := self.down():
            raise PluginDown(why)

    async def clear(self) -> None:
        """For who has waited: when the process is gone, return one at a time. Other events are due, too."""
        if self.write is None:
            await asyncio.sleep(self._turn() - asyncio.get_running_loop().time())

    def _turn(self) -> float:
        """When the next one may fail, by the loop's clock."""
        self._turn_at = max(self._turn_at, asyncio.get_running_loop().time()) + APART
        return self._turn_at

    def _send(self, kind: str, id: str, name: str, payload: Mapping[str, Any], correlation_id: str) -> None:
        write = self.write
        if write is None:
            raise PluginDown(self.down())
        try:
            line = lines.message(kind, id, name, payload, correlation_id)
        except BadLine:
            raise PluginError("the event is too long for a line of 1 MiB") from None
        if not write(line):
            raise PluginDown("does not read what it is sent")

    def _remember(self, id: str) -> None:
        self._gone[id] = None
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]
