"""One bot that speaks only HTTP: it is here while it posts, or answers `get_status`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from botmatrix.clock import Clock
from botmatrix.config.settings import HttpBot
from botmatrix.errors import BadFrame
from botmatrix.http_api import FORBIDDEN, NO_RESULT, UNREACHABLE
from botmatrix.nexus import closing
from botmatrix.nexus.handshake import Accept, Role
from botmatrix.nexus.http.asked import TEXT, OnReply, Reply
from botmatrix.nexus.http.connection import HttpConnection, NoVigil
from botmatrix.nexus.http.courier import Courier, decode_frame
from botmatrix.nexus.http.quick import ACTIONS, QuickDesk
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.links import Link
from botmatrix.nexus.sockets.dial import Line, place_of
from botmatrix.onebot.event import Event
from botmatrix.onebot.serving import BAD_REQUEST

EVERY: Final = 10.0
"""Seconds between two `get_status`."""
PAUSE: Final = 10.0
"""A link that the hub closed is not opened again for so long."""
ACCEPTED: Final = Reply(204)
NOT_NOW: Final = Reply(
    503,
    b"not now: the hub catches up, or it closed this bot's link a moment ago (another nexus serves it, or a kick)\n",
    TEXT,
    (("Retry-After", "10"),),
)
_UNWELL: Final = frozenset({BAD_REQUEST, NO_RESULT, FORBIDDEN, UNREACHABLE})
"""What stands for no answer of a bot; one that knows no `get_status` is well."""

log = structlog.get_logger("http")


class _Status(Struct):
    online: bool | None = None
    good: bool | None = None


class _StatusAnswer(Struct):
    retcode: int = -1
    message: str = ""
    data: _Status | None = None


_decode_status = msgspec.json.Decoder(_StatusAnswer).decode


class HttpPeer:
    """The bot's link while it has one. `line` shows how it is; `banned()`: seconds for which it must stay away."""

    def __init__(self, bot: HttpBot, hub: Hub, max_size: int, clock: Clock, banned: Callable[[str], float]) -> None:
        self.bot = bot
        self._hub, self._max_size, self._clock, self._banned = hub, max_size, clock, banned
        self.line = Line(f"bot {bot.key}", bot.http, self._new_link, since=clock.now())
        self._courier = Courier(bot, max_size, self._waits, self._on_answer)
        self._quick = QuickDesk(bot.quick)
        self._link: Link | None = None
        self._connection: HttpConnection | None = None
        self._heard_at = clock.monotonic()
        self._not_before = 0.0
        self._soon = asyncio.Event()

    # ---------------------------------------------------------------- events

    def hear(self, body: bytes, remote: str, reply: OnReply) -> None:
        """An event that the bot posted: handed on at once, and answered."""
        link = self._here()
        if link is None or link.connection.is_held:
            reply(NOT_NOW)
            return
        try:
            item = link.session.receive(body)
        except BadFrame as error:
            self._hub.count(f"frame_{error.reason}")
            reply(Reply(400, b'{"error":"this is no OneBot v11 event"}'))
            return
        link.remote = remote
        if link.bot is not None:
            link.bot.remote = remote
        link.heard(item)
        if isinstance(item, Event):
            self._quick.hold(item, lambda operation: reply(Reply(200, operation) if operation else ACCEPTED))
        else:
            reply(ACCEPTED)

    # ---------------------------------------------------------------- life

    async def run(self) -> None:
        """Ask how the bot is, for ever."""
        while True:
            await self._look()
            self._soon.clear()
            try:
                await asyncio.wait_for(self._soon.wait(), EVERY)
            except TimeoutError:
                continue

    async def close(self) -> None:
        """The bot is not ours any more."""
        self._quick.close()
        if self._connection is not None:
            self._connection.close(closing.NORMAL, "not served here any more")
        await self._courier.close()

    async def _look(self) -> None:
        self.line.attempts += 1
        answer = await self._courier.ask("get_status")
        try:
            status = _decode_status(answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            status = _StatusAnswer(0)
        if status.retcode in _UNWELL:
            self._unwell(status.message or f"get_status failed with {status.retcode}")
        else:
            self._well(status.data)

    def _well(self, status: _Status | None) -> None:
        self.line.error = ""
        link = self._here()
        if link is None or link.bot is None:
            return
        if status is not None and not link.bot.heartbeat_every:
            link.bot.healthy = status.online is not False and status.good is not False
            self._hub.health.refresh(link.bot)

    def _unwell(self, words: str) -> None:
        if words != self.line.error:
            log.warning("a bot's HTTP API gives no good answer", bot=self.bot.key, error=words)
        self.line.error = words
        silent = self._clock.monotonic() - self._heard_at
        if self._connection is not None and silent > self._hub.timing.silence:
            self._connection.close(closing.SILENT, "it posts nothing and its HTTP API does not answer")

    def _here(self) -> Link | None:
        """A sign of life came: the bot's link, a new one when it had none; None while it must stay away."""
        now = self._clock.monotonic()
        self._heard_at = now
        link, connection = self._link, self._connection
        if link is not None and connection is not None:
            connection.frames += 1
            return link
        if now < self._not_before or self._banned(self.bot.key) or self._hub.admission.is_flapping(self.bot.key):
            return None
        link = self._new_link()
        assert isinstance(link.connection, HttpConnection)  # noqa: S101  `_new_link` has just made it
        self._link, self._connection = link, link.connection
        self._note("open")
        link.connection.open()
        return self._link

    def _new_link(self) -> Link:
        accept = Accept(Role.UNIVERSAL, self.bot.platform, self.bot.self_id, "HTTP", True, "")
        link = _HttpLink(self._hub, accept, place_of(self.bot.http), lambda _key: True)
        link.connection = HttpConnection(link, self._max_size, self._send, self._soon.set)
        link.vigil = NoVigil()
        link.on_gone = self._gone
        return link

    def _gone(self, link: Link) -> None:
        if link is self._link:
            self._not_before = self._clock.monotonic() + PAUSE
            self._link = self._connection = None
            self._note("waiting")

    def _note(self, state: str) -> None:
        self.line.state, self.line.since = state, self._clock.now()

    # ---------------------------------------------------------------- actions

    def _send(self, payload: bytes) -> None:
        try:
            frame = decode_frame(payload)
        except RecursionError:  # it is nested so deep that it could just be read before
            self._hub.count("action_too_deep")
            return
        if frame.action in ACTIONS and self._quick.take(bytes(frame.params)):
            self._on_answer(b'{"status":"ok","retcode":0,"data":null,"echo":%b}' % msgspec.json.encode(frame.echo))
        else:
            self._courier.send(frame)

    def _waits(self, echo: str) -> bool:
        return self._link is not None and self._link.calls.is_waiting(echo)

    def _on_answer(self, answer: bytes) -> None:
        if self._link is not None and self._connection is not None:
            self._connection.frames += 1
            self._link.on_message(answer)


class _HttpLink(Link):
    """A bot's link that tells its peer when it ends."""

    __slots__ = ("on_gone",)

    on_gone: Callable[[Link], None]

    def on_end(self) -> None:
        self.on_gone(self)
        super().on_end()
