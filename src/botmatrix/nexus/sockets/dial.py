"""Dials servers and keeps the links up: applications that wait to be called, and bots' own servers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import picows
import structlog

from botmatrix.clock import Clock
from botmatrix.errors import BotMatrixError
from botmatrix.nexus import closing
from botmatrix.nexus.connection import Connection, ConnectionState, Owner
from botmatrix.nexus.timing import Timing
from botmatrix.nexus.vigil import Vigil

log = structlog.get_logger("dial")

FIRST_PAUSE: Final = 1.0
LAST_PAUSE: Final = 30.0
"""Seconds between two attempts: doubled each time, and a random quarter more or less."""
STEADY: Final = 10.0
"""A link that lived so long was a good one: the next attempt comes soon again."""


class Unfit(BotMatrixError):
    """A line can't be opened as things stand: says why."""


class Dialled(Owner, Protocol):
    """Whoever a dialled connection belongs to."""

    connection: Connection
    vigil: Vigil


@dataclass(slots=True)
class Line:
    """One server that is dialled. `state`: `dialling`, `open` or `waiting`; `error`: why the last attempt failed.

    `owner` makes whoever the next connection belongs to, or raises `Unfit`.
    `headers` are sent with the upgrade; a token is among them, so they are never shown.
    """

    name: str
    url: str
    owner: Callable[[], Dialled]
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    state: str = "dialling"
    since: float = 0.0
    error: str = ""
    attempts: int = 0


def place_of(url: str) -> str:
    """Host and port of a URL, without what it may hide before and after them."""
    return urlsplit(url).netloc.rpartition("@")[2]


class Dialer:
    """Keeps each line open until it is dropped; waits longer after each failure. `on_change`: a line is open, is not
    any more, or can't be opened for another reason than before.
    """

    def __init__(self, timing: Timing, max_frame: int, clock: Clock, rng: random.Random | None = None) -> None:
        self._timing, self._max_frame, self._clock = timing, max_frame, clock
        self._closed = False
        self._rng = rng or random.Random()  # noqa: S311  jitter needs no secrecy
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.lines: dict[str, Line] = {}
        self.on_change: Callable[[], None] = lambda: None

    def keep(self, line: Line) -> None:
        """Dial this from now on."""
        if self._closed:
            return
        self.lines[line.name] = line
        self._tasks[line.name] = asyncio.create_task(self._keep(line), name=f"dial {line.name}")

    def drop(self, name: str) -> None:
        """Dial this no more, and hang up."""
        self.lines.pop(name, None)
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Dial nothing more, now and later."""
        self._closed = True
        tasks = list(self._tasks.values())
        for name in list(self.lines):
            self.drop(name)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, line: Line) -> None:
        pause = FIRST_PAUSE
        while True:
            began = self._clock.monotonic()
            await self._attempt(line)
            lived = self._clock.monotonic() - began
            pause = FIRST_PAUSE if lived >= STEADY else min(LAST_PAUSE, pause * 2)
            self._note(line, "waiting")
            await asyncio.sleep(pause * self._rng.uniform(0.75, 1.25))

    async def _attempt(self, line: Line) -> None:
        """Dial once and stay until the link is gone."""
        self._note(line, "dialling")
        line.attempts += 1
        try:
            owner = line.owner()
        except Unfit as error:
            self._failed(line, error)
            return
        owner.connection = Connection(_Opening(owner, self._timing, self._clock), self._max_frame)
        try:
            transport = await self._open(line, owner)
            if owner.connection.state is ConnectionState.HANDSHAKE:
                raise ConnectionResetError("the link ended with the upgrade")
            line.error = ""
            self._note(line, "open")
            self.on_change()
            await transport.wait_disconnected()
            self.on_change()
        except (OSError, TimeoutError, UnicodeError, picows.WSError) as error:
            self._failed(line, error)
        finally:  # it may be open even while `_open` is being cancelled
            if owner.connection.state not in (ConnectionState.HANDSHAKE, ConnectionState.CLOSED):
                owner.connection.close(closing.NORMAL, "not needed any more")
                owner.connection.hang_up()

    async def _open(self, line: Line, owner: Dialled) -> Any:
        def listener() -> Connection:
            return owner.connection

        transport, _ = await picows.ws_connect(
            listener,
            line.url,
            disconnect_on_exception=False,
            websocket_handshake_timeout=self._timing.handshake,
            enable_auto_pong=False,
            max_frame_size=self._max_frame,
            extra_headers=line.headers,
            max_redirects=0,
            logger_name="dial",
        )
        return transport

    def _failed(self, line: Line, error: Exception) -> None:
        words = _words(error)
        if words != line.error:
            log.warning("a server can't be reached: it is dialled again and again", name=line.name, error=words)
            line.error = words
            self.on_change()

    def _note(self, line: Line, state: str) -> None:
        line.state, line.since = state, self._clock.now()


class _Opening:
    """Owns a connection until it is open; then the vigil can begin, and the real owner takes over."""

    def __init__(self, owner: Dialled, timing: Timing, clock: Clock) -> None:
        self._owner, self._timing, self._clock = owner, timing, clock

    def on_open(self) -> None:
        owner, connection = self._owner, self._owner.connection
        connection.owner = owner
        protocol = connection.transport.underlying_transport.get_protocol()
        owner.vigil = Vigil(connection, protocol, self._timing, self._clock.monotonic())  # type: ignore[arg-type]
        owner.on_open()

    def on_message(self, payload: bytes) -> None:
        """Nothing comes before the upgrade is done."""

    def on_room(self) -> None:
        """Nothing was written."""

    def on_end(self) -> None:
        """It never opened."""


def _words(error: Exception) -> str:
    """What went wrong and what to do about it, without the token."""
    response = error.response if isinstance(error, picows.WSHandshakeError) else None
    if response is not None:
        status = int(response.status)
        if status in (401, 403):
            return f"HTTP {status}: it refuses the token, or it does not know this bot"
        if status == 404:
            return "HTTP 404: nothing answers at this path"
        return f"HTTP {status} instead of an upgrade to WebSocket"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, UnicodeError):
        return "no host can have the name that stands in the URL"
    return str(error)[:200] or type(error).__name__
