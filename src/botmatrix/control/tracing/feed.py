"""The live view of one control process: one reader of the stream for all who watch; asks nothing of PostgreSQL.

Nothing is read while nobody watches. At most 20 batches a second leave, each with at most `MOST_HOPS` parts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.presence import Presence
from botmatrix.bus.trace_reading import decode
from botmatrix.bus.trace_stream import Reported, TraceStream, order
from botmatrix.control.fields import flag, number
from botmatrix.control.tracing.viewer import Hops, Viewer
from botmatrix.errors import EngineUnavailable

BATCH_EVERY: Final = 0.05
LOOK_EVERY: Final = 2.0
MOST_HOPS: Final = 200
MOST_VIEWERS: Final = 100
_PAGE: Final = 64
_BLOCK_MS: Final = 1000
_MOST_LISTED: Final = 500
_ABOUT_BOTS: Final = ("bot", "state", "nickname", "nexus", "since", "received", "sent", "failed")

log = structlog.get_logger(__name__)


class Feed:
    """Who watches, and what they are shown. `lifetime`: seconds after which a view ends, to be opened again."""

    def __init__(self, stream: TraceStream, presence: Presence) -> None:
        self._stream, self._presence = stream, presence
        self._viewers: set[Viewer] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._joining = asyncio.Lock()
        self._position = ""
        self._told: dict[str, Any] = {}
        self.lifetime = 3600.0

    @property
    def full(self) -> bool:
        """Whether nobody else can watch."""
        return len(self._viewers) >= MOST_VIEWERS

    async def join(self, after: str, *, reads: bool) -> tuple[Viewer, Hops | None]:
        """A viewer, and what came after the entry that they saw last. Raises `EngineUnavailable`."""
        async with self._joining:
            if not self._tasks:
                self._position = await self._stream.newest()
                self._tasks = [
                    asyncio.create_task(self._read(), name="live hops"),
                    asyncio.create_task(self._look(), name="live state"),
                ]
                for task in self._tasks:
                    task.add_done_callback(self._ended)
            viewer, until = Viewer(reads=reads), self._position
            for name, state in self._told.items():
                viewer.tell(name, state)
            self._viewers.add(viewer)
        try:
            return viewer, await self._missed(after, until) if after else None
        except BaseException:
            self.leave(viewer)
            raise

    def leave(self, viewer: Viewer) -> None:
        """They watch no more; who is the last turns off the light."""
        self._viewers.discard(viewer)
        if not self._viewers:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            self._told = {}

    def end(self) -> None:
        """Tell all viewers that nothing more comes."""
        for viewer in self._viewers:
            viewer.end()

    async def close(self) -> None:
        """End the reading and the connection."""
        tasks = self._tasks
        for viewer in list(self._viewers):
            self.leave(viewer)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stream.close()

    async def _missed(self, after: str, until: str) -> Hops | None:
        found = [one for one in await self._stream.after(after, _PAGE) if order(one.entry_id) <= order(until)]
        return batch_of(found) if found else None

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Who watches comes back, and then it is begun anew."""
        if not task.cancelled():
            log.error("the live view has ended", part=task.get_name(), exc_info=task.exception())
            self.end()

    async def _read(self) -> None:
        while True:
            try:
                found = await self._stream.next(self._position, _PAGE, _BLOCK_MS)
                if found:
                    self._show(found)
                    await asyncio.sleep(BATCH_EVERY)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("the live view waits for Redis", reason=str(error))
                await asyncio.sleep(1.0)
                await self._find_place()

    def _show(self, found: Sequence[Reported]) -> None:
        self._position = found[-1].entry_id
        batch = batch_of(found)
        for viewer in self._viewers:
            viewer.offer(batch)

    async def _find_place(self) -> None:
        """A Redis that lost its data counts anew: go on at its end."""
        try:
            newest = await self._stream.newest()
        except (EngineUnavailable, ReplyError):
            return
        if order(newest) < order(self._position):
            self._position = newest

    async def _look(self) -> None:
        """Bots, workers and counters, told when they have changed."""
        while True:
            try:
                for name, state in (await self._state()).items():
                    if self._told.get(name) != state:
                        self._told[name] = state
                        for viewer in self._viewers:
                            viewer.tell(name, state)
            except (EngineUnavailable, ReplyError) as error:
                log.debug("the live view waits for Redis", reason=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def _state(self) -> dict[str, Any]:
        nexuses = [one for one in await self._presence.nexuses() if flag(one["alive"])]
        alive = {one["inc"] for one in nexuses}
        bots = [_bot(one, alive) for one in await self._presence.bots(_MOST_LISTED)]
        workers = (await self._presence.workers())[:_MOST_LISTED]
        return {"bots": bots, "workers": workers, "counters": counters(nexuses) | await self._presence.stats()}


def batch_of(found: Sequence[Reported]) -> Hops:
    """What some entries hold, the first `MOST_HOPS` parts of it."""
    hops: list[dict[str, Any]] = []
    left_out = 0
    for one in found:
        parts = decode(one.payload)
        room = MOST_HOPS - len(hops)
        hops += msgspec.to_builtins(parts[:room])
        left_out += len(parts[room:])
    return Hops(found[-1].entry_id, hops, left_out)


def counters(nexuses: list[dict[str, str]]) -> dict[str, int]:
    """What all nexuses counted, added up."""
    total: Counter[str] = Counter()
    for one in nexuses:
        total.update({name: int(number(value)) for name, value in one.items() if value.isascii() and value.isdigit()})
    for name in ("alive", "seq", "port", "pid", "bad"):
        total.pop(name, None)
    return dict(total)


def _bot(fields: dict[str, str], alive: set[str]) -> dict[str, str]:
    known = {name: fields.get(name, "") for name in _ABOUT_BOTS}
    return known if fields.get("nexus") in alive else {**known, "state": "offline"}
