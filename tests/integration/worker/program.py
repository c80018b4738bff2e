"""A worker whose handler does what each event says; run as a process by the tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from datetime import timedelta
from types import FrameType
from typing import Any

import structlog
import uvloop
from tests.integration.worker.support import reply_to

from botmatrix.bus.envelope import Envelope
from botmatrix.errors import BotMatrixError
from botmatrix.worker.drain import Drain
from botmatrix.worker.incarnation import new_incarnation
from botmatrix.worker.options import Options
from botmatrix.worker.outcome import Dead, Done, Outcome, Retry
from botmatrix.worker.report import Report
from botmatrix.worker.tally import Tally
from botmatrix.worker.watchdog import Watchdog
from botmatrix.worker.worker import Worker


class Blocked(BaseException):
    """What interrupts a handler that blocks."""


class Obedient:
    """Does what the event says: `sleep` s, `block` or `freeze` s, `hog`, `die`, `retry` so many times, `raise`."""

    def __init__(self) -> None:
        self.tries: dict[str, int] = {}
        self.order: list[tuple[int, int]] = []
        self.most_at_once = 0
        self._now = 0

    def serial_key(self, envelope: Envelope, event: dict[str, Any]) -> str:
        return f"{envelope.conversation}|{event['user_id']}"

    async def handle(self, envelope: Envelope, event: dict[str, Any]) -> Outcome:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await self._obey(envelope, event)
        except Blocked:
            return Dead("blocked")
        finally:
            self._now -= 1

    async def _obey(self, envelope: Envelope, event: dict[str, Any]) -> Outcome:
        self.order.append((event["user_id"], event["n"]))
        tried = self.tries[envelope.id] = self.tries.get(envelope.id, 0) + 1
        if event.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if event.get("raise"):
            raise RuntimeError("as told")
        if tried <= event.get("retry", 0):
            return Retry(timedelta(seconds=0.05), "as told")
        if block := event.get("block"):
            plugin_that_blocks(block)
        if freeze := event.get("freeze"):
            something_that_blocks(freeze)
        if event.get("hog"):
            sum(iter(int, 1))  # C code that never ends and never lets another thread run
        await asyncio.sleep(event.get("sleep", 0))
        return Done([reply_to(envelope, event)])

    def expire(self, now: float) -> None:
        """Nothing here has a deadline."""


def plugin_that_blocks(seconds: float) -> None:
    """Holds up the loop, as a bad plugin would."""
    time.sleep(seconds)


def something_that_blocks(seconds: float) -> None:
    """Holds up the loop and is no plugin."""
    time.sleep(seconds)


def blame(frame: FrameType | None) -> BaseException | None:
    """Only the function above is a plugin."""
    while frame is not None:
        if frame.f_code is plugin_that_blocks.__code__:
            return Blocked("interrupted")
        frame = frame.f_back
    return None


def make_worker(
    url: str, options: Options, handler: Obedient, *, interrupt_after: float = 0.5, exit_after: float = 1.0
) -> Worker:
    """A worker of the tests, in this process."""
    inc = new_incarnation(options.worker_id)
    report = Report(inc, options, Tally(), Drain())
    watchdog = Watchdog(blame, interrupt_after=interrupt_after, exit_after=exit_after, every=0.05)
    return Worker(url, inc, options, handler, report, watchdog)


async def main(options: dict[str, Any]) -> None:
    exit_after = options.pop("exit_after", 5.0)
    worker = make_worker(os.environ["REDIS_URL"], Options(**options), Obedient(), exit_after=exit_after)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await worker.run(stop)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        uvloop.run(main(json.loads(sys.argv[1])))
    except BotMatrixError as error:
        sys.exit(error.exit_code)
