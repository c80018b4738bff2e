"""Puts events on their lanes: numbered batches over one connection, sent again until Redis has answered.

A batch keeps its number, so one whose outcome is unknown is sent again as it was and answered `D` if it was done.
Batches of up to 64 leave when nothing is under way or 64 wait, at most 8 at a time. While Redis is away everything
waits in the spool, in order.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.connection import Connection, ConnectionLost
from botmatrix.bus.keys import PARKING, Keys, is_parking
from botmatrix.bus.scripts import INGEST
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.batch import Batch, Leftover
from botmatrix.nexus.pins import Pin, Pins
from botmatrix.nexus.recent import RecentBatches
from botmatrix.nexus.spool import Parcel, Spool

log = structlog.get_logger("ingest")

BATCH = 64
WINDOW = 8
HIGH_WATER = 100_000
HOLD_SECONDS = 0.1
MAX_HELD = 4096


class Observer(Protocol):
    """Told what became of events. All quick."""

    def on_accepted(self, lane: str, count: int) -> None:
        """Events are on a lane."""

    def choose_lane(self, pin: Pin) -> str:
        """The pin's lane is gone: another one."""

    def leaves_parking(self, pin: Pin) -> bool:
        """Whether the parked events of this conversation can be moved to a worker now."""


class Ingest:
    """The road from the gateway to the lanes. `inc` is this nexus's incarnation."""

    def __init__(
        self,
        client: Client,
        keys: Keys,
        inc: str,
        spool: Spool,
        pins: Pins,
        observer: Observer,
        *,
        mark_ttl: float = 120.0,
    ) -> None:
        self._client, self._keys, self.inc = client, keys, inc
        self._spool, self._pins, self._observer = spool, pins, observer
        self._mark_ttl = int(mark_ttl * 1000)
        self._seq = self._acked = 0
        self._flying: deque[Batch] = deque()
        self._recent: RecentBatches[Batch] = RecentBatches()
        self._returned: list[Parcel] = []
        self._held: deque[Parcel] = deque()
        self._releasing = self._release_comes = False
        self._closed: set[str] = set()  # lanes for which parcels are held
        self._connection: Connection | None = None
        self._away: asyncio.Task[None] | None = None
        self._scheduled = False
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self.counters: Counter[str] = Counter()
        self.on_pressure: Callable[[bool], None] = lambda _full: None
        self.on_refused: Callable[[bytes, str], None] = lambda _payload, _reason: None
        self._pressed = False

    @property
    def connected(self) -> bool:
        """Whether Redis takes events just now."""
        return self._connection is not None and not self._connection.closed

    @property
    def waiting(self) -> int:
        """Events that Redis has not confirmed."""
        flying = sum(len(batch.parcels) for batch in self._flying)
        return len(self._spool) + len(self._returned) + len(self._held) + flying

    def start(self) -> None:
        """Connect, in the background for as long as it takes."""
        self._recover("starting", quiet=True)

    def put(self, parcel: Parcel) -> None:
        """Take over one event; nothing is lost from here on but by the end of the process."""
        parcel.pin.waiting += 1
        self._spool.put(parcel)
        if self._connection is None:
            self._press()
        elif not self._scheduled and (not self._flying or len(self._spool) >= BATCH):
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def adopt(self, left: Leftover) -> None:
        """Take over what a predecessor saved; to be called before `start`."""
        for parcel in (*(parcel for batch in left.batches for parcel in batch.parcels), *left.returned):
            parcel.pin.waiting += 1
        self._flying.extend(left.batches)
        self._returned += left.returned
        self._put_back()
        for parcel in left.parcels:
            self.put(parcel)
        self.counters["adopted"] += left.events

    def keep_marks(self, seconds: float) -> None:
        """From the next batch on, the same event counts as a duplicate for so long."""
        self._mark_ttl = int(seconds * 1000)

    async def drained(self) -> None:
        """Wait until everything is confirmed."""
        while self.waiting:
            self._idle.clear()
            await self._idle.wait()

    async def stop(self) -> Leftover:
        """Stop sending; returns what was not confirmed."""
        if self._away is not None:
            self._away.cancel()
            await asyncio.gather(self._away, return_exceptions=True)
        self._connection = None  # from here on nothing is sent and no answer counts
        await self._client.close()
        batches = list(self._flying)
        self._flying.clear()
        return Leftover(batches, self._returned, [*self._held, *self._spool.drain()])

    # ---------------------------------------------------------------- sending

    def _flush(self) -> None:
        self._scheduled = False
        while self._connection is not None and len(self._flying) < WINDOW and len(self._spool):
            if self._returned or self._releasing:
                return
            if self._flying and len(self._spool) < BATCH:
                return
            parcels = self._take()
            if not parcels:
                return
            self._seq += 1
            batch = Batch(self.inc, self._seq, self._acked, parcels)
            batch.pack(self._keys, self._mark_ttl, HIGH_WATER)
            self._flying.append(batch)
            self._send(batch)

    def _take(self) -> list[Parcel]:
        """Up to a batch from the spool; what is bound for a held lane joins the queue there."""
        parcels: list[Parcel] = []
        while len(parcels) < BATCH and len(self._spool):
            parcel = self._spool.pop()
            pin = parcel.pin
            # What is behind a held one is held, even if the conversation has another lane by now.
            held = pin.held > 0 or pin.lane in self._closed
            if not held and is_parking(pin.lane) and self._observer.leaves_parking(pin):
                # Not behind what is parked, or the conversation would be parked for as long as it goes on.
                held = True
                self._release_later()
            if held:
                self._held.append(parcel)
                pin.held += 1
            else:
                parcels.append(parcel)
        if self._held:
            self._press()
        return parcels

    def _send(self, batch: Batch) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101  only sent when there is one
        future = connection.call("EVALSHA", INGEST.sha, 1, self._keys.nexus(batch.inc), *batch.args)
        future.add_done_callback(lambda done: self._answered(connection, batch, done))

    # ---------------------------------------------------------------- answers

    def _answered(self, connection: Connection, batch: Batch, future: asyncio.Future[list[Any]]) -> None:
        if future.cancelled() or connection is not self._connection:
            if not future.cancelled():
                future.exception()
            return
        error = future.exception()
        if error is not None:
            self._recover(str(error), quiet=not isinstance(error, ReplyError | ConnectionLost))
            return
        answer = future.result()
        kind = answer[0]
        if kind == b"A":
            self._confirm(batch, answer[1], answer[2])
        elif kind == b"D":
            self.counters["resent_known"] += 1
            self._confirm(batch, answer[1], [None] * len(batch.lanes))
        elif kind == b"L":
            self._recover("Redis has lost its data")
        elif kind == b"O":
            self.counters["redis_refused"] += 1
            self._recover(f"Redis refuses writes: {answer[1].decode(errors='replace')}")
        else:
            self._recover("a batch was missing", quiet=True)

    def _confirm(self, batch: Batch, letters: bytes, last: list[bytes | None]) -> None:
        flying = self._flying.popleft()
        assert flying is batch  # noqa: S101  answers come in order
        if batch.inc == self.inc:
            self._acked = batch.seq
            self._recent.keep(batch, self._loop.time())
        if letters.strip(b"a"):
            self._sort(batch, letters, last)
        else:
            self._all_added(batch, last)
        self._put_back()
        if self._pressed:
            self._press()
        if len(self._spool):
            self._flush()
        elif not self._flying:
            self._idle.set()

    def _all_added(self, batch: Batch, last: list[bytes | None]) -> None:
        ids = dict(zip(batch.lanes, last, strict=True))
        round_ = self._pins.round
        counts: dict[str, int] = {}
        for parcel in batch.parcels:
            pin = parcel.pin
            pin.waiting -= 1
            pin.last = ids.get(pin.lane)
            pin.touched = round_
            counts[pin.lane] = counts.get(pin.lane, 0) + 1
        self.counters["accepted"] += len(batch.parcels)
        for lane, count in counts.items():
            self._observer.on_accepted(lane, count)

    def _sort(self, batch: Batch, letters: bytes, last: list[bytes | None]) -> None:
        """Some were not simply added: each to where its letter says, order kept."""
        added = [parcel for parcel, letter in zip(batch.parcels, letters, strict=True) if letter == 97]  # a
        rest = [(p, chr(c)) for p, c in zip(batch.parcels, letters, strict=True) if c != 97]
        whole = Batch(batch.inc, batch.seq, batch.acked, added)
        whole.lanes = batch.lanes
        self._all_added(whole, last)
        for parcel, letter in rest:
            pin = parcel.pin
            if letter == "d":
                pin.waiting -= 1
                self.counters["duplicate"] += 1
                self.on_refused(parcel.payload, "duplicate")
            elif letter == "o":
                pin.waiting -= 1
                self.counters["blocked"] += 1
                self.counters["blocked_waiting_full"] += 1
                self.on_refused(parcel.payload, "waiting_full")
            else:
                if letter in "fe":
                    self.counters["lane_full" if letter == "f" else "lane_refused"] += 1
                    self._hold(pin.lane)
                elif letter == "r" and pin.lane in batch.lanes:
                    pin.lane, pin.fresh = self._observer.choose_lane(pin), True
                    self.counters["picked_again"] += 1
                self._returned.append(parcel)

    def _hold(self, lane: str) -> None:
        """What is bound for this lane will wait apart, so that other lanes go on."""
        self._closed.add(lane)
        self._release_later()

    def _release_later(self) -> None:
        if not self._release_comes:
            self._release_comes = True
            self._loop.call_later(HOLD_SECONDS, self._release_held)

    def _release_held(self) -> None:
        self._release_comes = False
        self._closed.clear()
        self._releasing = True
        self._put_back()
        self._flush()

    def _put_back(self) -> None:
        """What came back is sent again when nothing is under way any more that may come back as well.

        It goes before what is held of its conversations: that was said later.
        """
        if self._flying:
            return
        again, self._returned = self._returned, []
        if self._releasing or any(parcel.pin.held for parcel in again):
            self._releasing = False
            for parcel in self._held:
                parcel.pin.held = 0
            again += self._held
            self._held.clear()
        if again:
            self._spool.put_back(again)

    # ---------------------------------------------------------------- trouble

    def _recover(self, reason: str, *, quiet: bool = False) -> None:
        if self._away is not None:
            return
        if not quiet:
            log.warning("events wait: Redis does not take them", reason=reason)
        connection, self._connection = self._connection, None
        self._away = self._loop.create_task(self._come_back(connection), name="ingest-recover")

    async def _come_back(self, connection: Connection | None) -> None:
        if connection is not None:
            await connection.close()
        delay = 0.05
        while True:
            try:
                fresh = await self._client.connect()
                await self._register(fresh)
                break
            except (EngineUnavailable, ReplyError) as error:
                self.counters["redis_refused"] += not isinstance(error, ConnectionLost)
                log.debug("still away", error=str(error))
                await self._client.close()
                await asyncio.sleep(delay)
                delay = min(delay * 2, 1.0)
        self._connection, self._away = fresh, None
        for batch in self._flying:
            self._send(batch)
        self._press()
        self._flush()
        if not self.waiting:
            self._idle.set()

    async def _register(self, connection: Connection) -> None:
        """The numbers go on where Redis has them, and the parking place exists."""
        k = self._keys
        expected = {self.inc: self._seq + 1}
        for batch in reversed(self._flying):
            expected[batch.inc] = batch.seq
        for inc, first in expected.items():
            answer = await connection.call("HGET", k.nexus(inc), "seq")
            stored = int(answer) if answer and answer.isdigit() else None
            if stored is None or stored < first - 1:
                if inc == self.inc:
                    first = self._take_back(stored or 0, first)
                await connection.call("HSET", k.nexus(inc), "seq", first - 1)
            await connection.call("EXPIRE", k.nexus(inc), 86_400)
        try:
            await connection.call("XGROUP", "CREATE", k.lane(PARKING), "park", "0", "MKSTREAM")
        except ReplyError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _take_back(self, stored: int, first: int) -> int:
        """Redis has forgotten batches it had confirmed: those that are still here are under way again.

        Returns the number of the first batch that is sent now; `first` is what it was.
        """
        if first == 1:
            return first
        again = self._recent.take_after(stored)
        missing = (again[0].seq if again else first) - 1 - stored
        for batch in again:
            self.counters["accepted"] -= len(batch.parcels)
            for parcel in batch.parcels:
                self._pins.take_back(parcel.pin)
                parcel.pin.waiting += 1
        self._flying.extendleft(reversed(again))
        self.counters["redis_lost_state"] += 1
        self.counters["redis_lost_batches"] += missing
        log.error("Redis has forgotten confirmed events: is its AOF on?", sent_again=len(again), batches_lost=missing)
        return again[0].seq if again else first

    @property
    def crowded(self) -> bool:
        """Whether so much waits that what matters least should be left out."""
        return self._connection is None and self._spool.crowded

    def _press(self) -> None:
        aside = len(self._held) + len(self._returned)
        if self._pressed:
            aside += len(self._spool)  # what is held passes through it, again and again
        full = self._spool.full or aside > MAX_HELD
        if full != self._pressed:
            self._pressed = full
            self.on_pressure(full)
