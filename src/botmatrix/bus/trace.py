"""The trace: what happened to each event, on one stream that is a log and not a road.

Whoever reports puts parts here; they leave in batches, over a connection of their own. Nothing waits for it: what
finds no room is counted and forgotten.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.keys import Keys
from botmatrix.bus.trace_parts import Part, encode
from botmatrix.errors import EngineUnavailable

log = structlog.get_logger("trace")
FIELD: Final = b"parts"
EVERY: Final = 0.2
"""Seconds between two batches."""
MOST_PARTS: Final = 4096
MOST_BYTES: Final = 8 << 20
ENTRY_BYTES: Final = 16 << 10
KEPT_ENTRIES: Final = 8192
"""Entries that the stream keeps at most: with full ones 128 MiB, for as long as nobody writes them down."""
AWAY: Final = 1.0
_AT_ONCE: Final = 64


class TraceLog:
    """The outgoing parts of one process. Counter: `trace_dropped`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self.client, self._keys = client, keys
        self._waiting: deque[tuple[Callable[[], Part], int]] = deque()
        self._bytes = 0
        self._entries: deque[tuple[int, bytes]] = deque()
        self._wake = asyncio.Event()
        self._flushing = asyncio.Lock()
        self.counters: Counter[str] = Counter()

    def put(self, make: Callable[[], Part], size: int = 0) -> None:
        """Report a part, which is made when the batch leaves; `size`: bytes that it holds on to until then."""
        if len(self._waiting) >= MOST_PARTS or self._bytes + size > MOST_BYTES:
            self.counters["trace_dropped"] += 1
            return
        self._waiting.append((make, size))
        self._bytes += size
        self._wake.set()

    async def run(self) -> None:
        """Send a batch five times a second while there is one."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(EVERY)
            if not await self.flush():
                self._wake.set()
                await asyncio.sleep(AWAY)

    async def flush(self) -> bool:
        """Send what waits; False while Redis is away, when it is kept within bounds."""
        async with self._flushing:
            return await self._flush()

    async def _flush(self) -> bool:
        await self._pack()
        entries = list(self._entries)
        if not entries:
            return True
        head = ("XADD", self._keys.trace, "MAXLEN", "~", KEPT_ENTRIES, "*", FIELD)
        try:
            answers = await self.client.pipeline(*((*head, payload) for _, payload in entries))
        except (EngineUnavailable, ReplyError) as error:
            log.debug("the trace waits", error=str(error))
            return False
        self._entries.clear()
        refused = (count for (count, _), answer in zip(entries, answers, strict=True) if isinstance(answer, Exception))
        self.counters["trace_dropped"] += sum(refused)
        return True

    async def close(self) -> None:
        """Send the last batch if Redis takes it now, and end the connection."""
        try:
            async with asyncio.timeout(AWAY):
                await self.flush()
        except TimeoutError:
            log.debug("the last of the trace is lost")
        await self.client.close()

    async def _pack(self) -> None:
        """Lay what waits into entries of a bounded size, a few at a time: others use this loop too."""
        batch: list[bytes] = []
        size = 0
        for done in range(len(self._waiting)):
            make, held = self._waiting.popleft()
            self._bytes -= held
            part = encode(make())
            if size + len(part) > ENTRY_BYTES:
                self._keep(batch)
                batch, size = [], 0
            batch.append(part)
            size += len(part)
            if done % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        self._keep(batch)

    def _keep(self, batch: list[bytes]) -> None:
        if not batch:
            return
        if len(self._entries) * ENTRY_BYTES >= MOST_BYTES:
            self.counters["trace_dropped"] += len(batch)
        else:
            self._entries.append((len(batch), b"[" + b",".join(batch) + b"]"))
