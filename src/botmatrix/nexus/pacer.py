"""Messages that are put off until the turn of their bot and target comes.

Reading an action is the mark that it was perhaps sent, so what has to wait is not kept here: it goes back to Redis at
once, to the waiting room of its bot, in the step that takes it off the stream. It is nobody's then. When its turn
comes, the nexus that has the bot by now puts it on its own action stream, where it is read, and sent, like any other.
A nexus that dies leaves the rooms as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.envelope import ActionEntry, decode_action, encode
from botmatrix.bus.keys import Keys
from botmatrix.bus.rooms import Entry, Rooms
from botmatrix.clock import Clock
from botmatrix.errors import BadEnvelope, EngineUnavailable
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.pace import Pace, Turn, turn_of

log = structlog.get_logger("pacer")
MOST: Final = 10_000
"""Messages that may wait for one bot; what is over fails at once, so that others go on."""
WINDOW: Final = 256
"""Messages of a room that are looked at for one whose turn has come."""
LOOK_SECONDS: Final = 1.0
SHORTEST: Final = 0.02
PATIENCE_MS: Final = 3_600_000
"""For how long waiting does not count towards an action's expiry."""


class Read(Protocol):
    """An entry of the action stream that was read and not sent."""

    entry_id: bytes
    action: ActionEntry


R = TypeVar("R", bound=Read)


class Pacer(Generic[R]):
    """Counters: `action_paced`. `on_moved` and `on_full` are told what became of an entry that was put off."""

    def __init__(self, client: Client, keys: Keys, inc: str, hub: Hub, clock: Clock) -> None:
        self._rooms, self._inc, self._hub, self._clock = Rooms(client, keys), inc, hub, clock
        self._deferred: dict[str, list[R]] = {}
        self._waiting: dict[str, int] = {}  # bots of ours with a room -> how many wait; nothing of them goes past it
        self._due: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._moving = asyncio.Lock()
        self._next_look = 0.0
        self.pace = Pace()
        self.is_stopping = False
        self.counters: Counter[str] = Counter()
        self.on_moved: Callable[[R], None] = lambda _read: None
        self.on_full: Callable[[R], None] = lambda _read: None

    @property
    def waiting(self) -> int:
        """Messages that wait for the bots of this nexus."""
        return sum(self._waiting.values()) + sum(len(reads) for reads in self._deferred.values())

    def claimed(self, bot: str) -> None:
        """The bot is ours now: what waited for it at its last nexus goes first."""
        if self.pace.is_on:
            self._waiting.setdefault(bot, 0)
        self._next_look = 0.0
        self._wake.set()

    def puts_off(self, read: R) -> bool:
        """Whether the action has to wait; then it is taken over. Else it may be sent, which counts as its turn."""
        if not (self.pace.is_on or self._waiting or self._deferred):
            return False
        action = read.action
        if action.paced or not action.action.startswith("send_"):
            return False
        bot, now = action.bot, self._clock.monotonic()
        if bot not in self._waiting and bot not in self._deferred:
            if self.pace.passes(turn_of(action), now):
                return False
        self._deferred.setdefault(bot, []).append(read)
        self.counters["action_paced"] += 1
        self._wake.set()
        return True

    async def run(self) -> None:
        """Put off and admit, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.flush()
                await self._look()
                await self._admit_due()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("paced actions wait", error=str(error))
                await asyncio.sleep(0.2)
                self._wake.set()

    async def flush(self) -> None:
        """Move what was put off to the rooms. Raises `EngineUnavailable`, `ReplyError`; then it is tried again."""
        async with self._moving:
            for bot in list(self._deferred):
                reads = self._deferred[bot][:WINDOW]
                entries = [(read.entry_id, self._put_off(read.action)) for read in reads]
                letters = await self._rooms.defer(self._inc, bot, entries, MOST)
                self._waiting[bot] = self._waiting.get(bot, 0) + letters.count("m")
                self._due.setdefault(bot, 0.0)
                self._forget_deferred(bot, len(reads))
                for read, letter in zip(reads, letters, strict=True):
                    (self.on_moved if letter == "m" else self.on_full)(read)

    # ---------------------------------------------------------------- inside

    def _put_off(self, action: ActionEntry) -> bytes:
        action.paced = action.paced or int(self._clock.now() * 1000)
        return encode(action)

    def _forget_deferred(self, bot: str, count: int) -> None:
        left = self._deferred[bot][count:]
        if left:
            self._deferred[bot] = left
            self._wake.set()
        else:
            del self._deferred[bot]

    def _pause(self) -> float:
        now = self._clock.monotonic()
        soonest = min((due for due in self._due.values()), default=now + LOOK_SECONDS)
        return min(max(soonest - now, SHORTEST), LOOK_SECONDS)

    async def _look(self) -> None:
        """Once a second, and when a bot came: which of our bots have something waiting."""
        now = self._clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        known = set(self._waiting)
        lengths = await self._rooms.waiting([bot for bot in await self._rooms.bots() if self._has(bot)])
        for bot in known - set(lengths) - set(self._deferred):
            self._waiting.pop(bot, None)
            self._due.pop(bot, None)
        for bot, length in lengths.items():
            self._waiting[bot] = length
            self._due.setdefault(bot, 0.0)

    def _has(self, key: str) -> bool:
        bot = self._hub.bots.get(key)
        return bot is not None and bot.api_link is not None and bot.epoch > 0

    async def _admit_due(self) -> None:
        now = self._clock.monotonic()
        for bot in [bot for bot, due in self._due.items() if due <= now]:
            if self._has(bot) and not self.is_stopping:
                await self._serve(bot, now)
            else:
                self._due[bot] = now + LOOK_SECONDS

    async def _serve(self, bot: str, now: float) -> None:
        """Admit what may be sent now, and say when the next one may."""
        chosen: list[Entry] = []
        held: set[str] = set()
        soonest = now + LOOK_SECONDS
        for entry_id, payload in await self._rooms.peek(bot, WINDOW):
            turn, admitted = self._understand(bot, payload)
            if turn.target not in held and self.pace.passes(turn, now):
                chosen.append((entry_id, admitted))
            else:
                held.add(turn.target)
                soonest = min(soonest, max(self.pace.due(turn), now))
        left = await self._rooms.admit(self._inc, bot, chosen)
        if left > 0:
            self._waiting[bot], self._due[bot] = left, soonest if held else now
        elif bot not in self._deferred:
            self._waiting.pop(bot, None)
            self._due.pop(bot, None)

    def _understand(self, bot: str, payload: bytes) -> tuple[Turn, bytes]:
        """Whose turn an entry waits for, and what is to be sent: the time that it waited does not count."""
        try:
            action = decode_action(payload)
        except BadEnvelope:
            return Turn(bot, ""), payload
        now = int(self._clock.now() * 1000)
        waited = now - action.paced if action.paced else 0
        if 0 < waited <= PATIENCE_MS:
            action.exp += waited
        action.paced = action.paced or now
        return turn_of(action), encode(action)
