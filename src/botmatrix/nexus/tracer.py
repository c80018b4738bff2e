"""What a nexus reports of its events and actions, and which of them: so much as PostgreSQL can keep, and no more.

The whole deployment stores at most `ROWS` a second. A nexus spends its share from a bucket: an event costs a row, one
that says something a second one, each answer one more. Ordinary events leave `RESERVE` of it to blocked and failed
ones. What is left out is counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import Final

import msgspec
import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.envelope import ActionEntry, Envelope, decode_envelope
from botmatrix.bus.event_id import EventIds, is_traced
from botmatrix.bus.keys import Keys
from botmatrix.bus.trace import TraceLog
from botmatrix.bus.trace_making import acted, heard
from botmatrix.bus.trace_parts import Acted, Heard, Ran, Repeated
from botmatrix.bus.trace_reading import READABLE
from botmatrix.clock import Clock
from botmatrix.errors import BadEnvelope, EngineUnavailable
from botmatrix.nexus.bot import Bot
from botmatrix.onebot.event import Event

log = structlog.get_logger("trace")
ROWS: Final = 900
"""Rows a second of all nexuses together; what writes them down takes 1,000, so that it catches up."""
RESERVE: Final = 0.3
SHARE_EVERY: Final = 5.0
SET_BACK_MS: Final = 60_000
"""Events may be reported late; one that is older than this means that the clock was set back."""
BIND_CODE: Final = "bind_code"
"""The reason of a message that says a secret: what it says is not reported."""


class Tracer:
    """The reports of one nexus. Counters: `trace_sampled`, `trace_dropped`."""

    def __init__(self, trace_log: TraceLog, keys: Keys, inc: str, clock: Clock) -> None:
        self._log, self._keys, self._inc, self._clock = trace_log, keys, inc, clock
        self._ids = EventIds()
        self._at = self._now()
        self._share(1)
        self._level = self._full
        self._sampled = 0

    @property
    def counters(self) -> Counter[str]:
        """What was left out."""
        return self._log.counters + Counter({"trace_sampled": self._sampled})

    def begin(self, event: Event, now_ms: int) -> str:
        """The id of an event that passed: it says whether the event is traced."""
        rows = 2 if event.post_type == "message" else 1
        traced = self._admits(rows, now_ms, self._reserve)
        return self._ids.next(now_ms, traced=traced)

    def passed(self, envelope: Envelope, lane: str, rule: str = "", *, copy: bool = False) -> None:
        """A traced event, or a further copy of one, is on its way to a lane."""
        self._put(envelope, partial(heard, envelope, self._now(), lane, rule, copy=copy))

    def stopped(self, bot: Bot, event: Event, received_ms: int, reason: str, detail: str = "") -> None:
        """An event ended here."""
        if not self._admits(2 if event.post_type == "message" else 1, received_ms, 0.0):
            return
        event_id = self._ids.next(received_ms, traced=True)
        raw = msgspec.Raw(b"{}" if reason == BIND_CODE else event.raw)
        envelope = Envelope(event_id, bot.key, event.conv, self._inc, bot.epoch, received_ms, raw)
        self._put(envelope, partial(heard, envelope, self._now(), reason=reason, detail=detail))

    def refused(self, payload: bytes, reason: str) -> None:
        """Redis did not take an event: `duplicate`, the platform had sent it before; else why."""
        try:
            envelope = decode_envelope(payload)
        except BadEnvelope:
            return
        now = self._now()
        if not is_traced(envelope.id):
            if not self._admits(2, now, 0.0):
                return
            self._put(envelope, partial(heard, envelope, envelope.t))
        if reason == "duplicate":
            self._log.put(partial(Repeated, envelope.id, now))
        else:
            self._put(envelope, partial(heard, envelope, now, reason=reason))

    def ran_by_socket(self, event_id: str, worker_id: str, received_ms: int, written_ms: int, how: str) -> None:
        """An event that a socket worker got is over: `answered`, `silent` or `lost_on_close`."""
        if is_traced(event_id):
            quiet = "" if how == "answered" else how
            make = partial(Ran, event_id, received_ms, worker_id, worker_id, written_ms, self._now(), "done")
            self._log.put(partial(make, quiet=quiet, actions=1 if how == "answered" else 0))

    def acted(self, entry_id: bytes, action: ActionEntry, sent_ms: int, answer: tuple[str, int, str, bytes]) -> None:
        """An action has ended: state, retcode, words, data."""
        now = self._now()
        if action.eid and is_traced(action.eid):
            self._level = max(-self._full, self._level - 1.0)  # owed for a second at most
        elif action.eid and answer[0] == "DONE":
            return
        elif not self._admits(1, now, 0.0 if answer[0] != "DONE" else self._reserve):
            return
        make: partial[Acted] = partial(acted, entry_id, action, sent_ms, now, answer)
        self._log.put(make, memoryview(action.params).nbytes)

    async def run(self) -> None:
        """Send what was reported, and look now and then how many nexuses share the rows."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._log.run(), name="trace log")
            group.create_task(self._keep_share(), name="trace share")

    async def close(self) -> None:
        """Send the last of it and end the connection."""
        await self._log.close()

    def _admits(self, rows: int, now_ms: int, reserve: float) -> bool:
        passed = now_ms - self._at
        if passed > 0:
            self._level = min(self._full, self._level + passed * self._full / 1000)
        if passed > 0 or passed < -SET_BACK_MS:
            self._at = now_ms
        if self._level - rows < reserve:
            self._sampled += 1
            return False
        self._level -= rows
        return True

    def _put(self, envelope: Envelope, make: partial[Heard]) -> None:
        size = memoryview(envelope.event).nbytes
        if size > READABLE:
            envelope.event, size = msgspec.Raw(b"{}"), 0
        self._log.put(make, size)

    def _now(self) -> int:
        return int(self._clock.now() * 1000)

    def _share(self, nexuses: int) -> None:
        self._full = ROWS / max(1, nexuses)
        self._reserve = self._full * RESERVE

    async def _keep_share(self) -> None:
        while True:
            try:
                self._share(int(await self._log.client.call("SCARD", self._keys.nexuses)))
            except (EngineUnavailable, ReplyError) as error:
                log.debug("the number of nexuses is unknown", error=str(error))
            await asyncio.sleep(SHARE_EVERY)
