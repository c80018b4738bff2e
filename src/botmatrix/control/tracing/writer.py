"""Writes the trace down: reads the stream, joins, stores; one control process at a time, and at its own pace.

The position in the stream is stored with the rows, so a writer that is killed has written a batch or has not, and
the next one goes on there. While PostgreSQL is away the stream keeps what is reported, within its bound.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.trace_reading import decode
from botmatrix.bus.trace_stream import START, TraceStream, order
from botmatrix.control.tracing.joining import Joined
from botmatrix.errors import EngineUnavailable
from botmatrix.store.history_log import Batch, HistoryLog

EVERY: Final = 1.0
ROWS: Final = 1000
"""Rows in one round: so many a second at most."""
LATELY_MS: Final = 60_000
"""For how long the stream keeps what is written down, for live views that come back."""
FORGET_EVERY: Final = 3600.0
_PAGE: Final = 32

log = structlog.get_logger(__name__)


class Days(Protocol):
    """For how many days what is kept; 0: not at all."""

    @property
    def message_days(self) -> int: ...
    @property
    def trace_days(self) -> int: ...


class TraceWriter:
    """One in each control process; who finds another at work does nothing in that round."""

    def __init__(self, stream: TraceStream, history: HistoryLog, days: Days) -> None:
        self._stream, self._history, self._days = stream, history, days

    async def run(self) -> None:
        """Write once a second; forget what is past its time once an hour."""
        loop = asyncio.get_running_loop()
        forget_at = 0.0
        while True:
            began = loop.time()
            try:
                await self.write()
                if began >= forget_at and await self.forget():
                    forget_at = began + FORGET_EVERY
            except (EngineUnavailable, ReplyError) as error:
                log.debug("the trace is not written down", reason=str(error))
            await asyncio.sleep(max(EVERY / 10, began + EVERY - loop.time()))

    async def close(self) -> None:
        """End the connection to the stream."""
        await self._stream.close()

    async def write(self) -> int | None:
        """One round; how many rows were stored, None when another process is at it."""
        now = datetime.now(UTC)
        longest = timedelta(days=max(self._days.message_days, self._days.trace_days, 1))
        return await self._history.advance(self._read, now - longest, now)

    async def forget(self) -> bool:
        """Delete what is past its time, a page at a time; False when another process is at it."""
        now = datetime.now(UTC)
        for table, days in (("messages", self._days.message_days), ("traces", self._days.trace_days)):
            while deleted := await self._history.forget(table, now - timedelta(days=days)):
                log.debug("rows past their time are deleted", table=table, rows=deleted)
                await asyncio.sleep(EVERY / 10)
            if deleted is None:
                return False
        return True

    async def _read(self, position: str) -> Batch:
        joined, reached = await self._whole(await self._from(position))
        await self._trim(position)
        traces = joined.traces if self._days.trace_days else []
        messages = joined.messages if self._days.message_days else []
        return Batch(reached, traces, messages)

    async def _whole(self, reached: str) -> tuple[Joined, str]:
        """Whole entries after this one, up to `ROWS` rows, and the last of them."""
        joined = Joined()
        while joined.size < ROWS:
            page = await self._stream.after(reached, _PAGE)
            for entry_id, payload in page:
                parts = decode(payload)
                if joined.size and joined.size + 2 * len(parts) > ROWS:
                    return joined, reached
                joined.add(parts)
                reached = entry_id
            if len(page) < _PAGE:
                break
        return joined, reached

    async def _from(self, position: str) -> str:
        """Where to go on: at the beginning when the stream is another one than the position was in."""
        newest = await self._stream.newest()
        return START if newest != START and order(newest) < order(position) else position

    async def _trim(self, position: str) -> None:
        """What was stored before this round and is older than a minute is not needed any more."""
        if (ms := order(position)[0]) > LATELY_MS:
            await self._stream.trim(f"{ms - LATELY_MS}-0")
