"""One authorised link of a bot: frames become events and answers, actions become frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botmatrix.errors import BadFrame
from botmatrix.nexus import closing
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.calls import Calls, OnAnswer
from botmatrix.nexus.connection import Connection, ConnectionState
from botmatrix.nexus.handshake import Accept, clean_platform
from botmatrix.nexus.vigil import Vigil
from botmatrix.onebot.action import request_frame
from botmatrix.onebot.event import Event
from botmatrix.onebot.session import Answer, Ignored, Session
from botmatrix.onebot.v11 import META_EVENT, read_meta

if TYPE_CHECKING:
    from botmatrix.nexus.hub import Hub

MAX_UNSENT: Final = 4 * 1024 * 1024
MAX_EARLY: Final = 64
NAMELESS: Final = "no X-Self-ID and no lifecycle event: who is it?"
NOT_YOURS: Final = "the token is for another bot, or this one was sent away"


class Link:
    """A WebSocket that may speak for a bot. `bot` is None until the bot is named and no older link is in
    the way.

    `id` is unique in this process. `permits(key)`: whether the link's token is good for that bot.
    """

    __slots__ = (
        *(
            "_early",
            "_opened_at",
            "_received",
            "accept",
            "bot",
            "calls",
            "connection",
            "hub",
            "id",
            "permits",
        ),
        *("place", "platform", "remote", "session", "vigil"),
    )

    connection: Connection
    vigil: Vigil

    def __init__(self, hub: Hub, accept: Accept, remote: str, permits: Callable[[str], bool]) -> None:
        self.hub = hub
        self.accept = accept
        self.remote = remote
        self.permits = permits
        self.platform = accept.platform
        self.id, prefix = hub.next_link_id()
        self.session = Session(accept.self_id, prefix)
        self.calls = Calls()
        self.bot: Bot | None = None
        self.place = -1
        self._early: list[Event] | None = None
        self._opened_at = 0.0
        self._received = 0

    def __repr__(self) -> str:
        return f"<Link {self.id} of {self.key or 'an unnamed bot'} from {self.remote}>"

    @property
    def key(self) -> str:
        """The bot's key, or `""` while it is not named."""
        return f"{self.platform}:{self.session.self_id}" if self.session.self_id else ""

    # From the connection

    def on_open(self) -> None:
        self._opened_at = self.hub.clock.monotonic()
        self.hub.opened(self)

    def on_message(self, payload: bytes) -> None:
        try:
            item = self.session.receive(payload)
        except BadFrame as error:
            self._refuse_frame(error.reason)
        else:
            self.heard(item)

    def heard(self, item: Event | Answer | Ignored) -> None:
        """What a frame says."""
        if isinstance(item, Event):
            bot = self.bot
            if bot is None:
                self._on_early(item)
            elif item.post_type == META_EVENT:
                self.hub.health.on_meta(bot, item)
            else:
                bot.received += 1
                self.hub.observer.on_event(bot, item)
        elif isinstance(item, Answer):
            if not self.calls.answer(item.echo, item.response):
                self._on_stray(item)
        else:
            self.hub.count(f"frame_{item.reason}")

    def _on_stray(self, answer: Answer) -> None:
        if self.calls.answer_late(answer.echo, answer.response):
            self.hub.count("answer_late")
        else:
            issued = self.session.has_issued(answer.echo)
            self.hub.count("answer_twice" if issued else "answer_unknown_echo")

    def on_room(self) -> None:
        """Actions are written as they come, or refused; nothing waits for room."""

    def on_end(self) -> None:
        self.hub.ended(self)

    # From the sweeper

    def visit(self, now: float, elapsed: float) -> None:
        """What is due: signs of life, actions whose time is over, a bot that never said who it is."""
        if self.connection.state is ConnectionState.CLOSED:
            self.hub.sweeper.remove(self, self.place)
            return
        self.vigil.visit(now, elapsed)
        bot = self.bot
        if bot is None:
            if not self.session.self_id and now - self._opened_at > self.hub.timing.unnamed:
                self.hub.count("link_unnamed")
                self.connection.close(closing.SILENT, NAMELESS)
                self.hub.refuse_late(self, closing.SILENT, NAMELESS, "let the client send its id in X-Self-ID")
            return
        bot.failed += self.calls.expire(now)
        if self.session.repaired:
            self.hub.count("frame_repaired")
            self.session.repaired = 0
        if bot.received != self._received:
            self._received = bot.received
            bot.last_event_at = self.hub.clock.now()
        if bot.event_link is self:
            self.hub.health.visit(bot, now)

    # From the hub

    def call(self, action: str, params: bytes, on_answer: OnAnswer, timeout: float) -> bool:
        """See `Bot.call`."""
        connection = self.connection
        if connection.state is not ConnectionState.OPEN or self.calls.is_full:
            return False
        echo = self.session.next_echo()
        frame = request_frame(action, params, echo)
        # A burst of large pictures is no reason to hang up; one that reads nothing is.
        if connection.unsent > max(MAX_UNSENT, 4 * len(frame)):
            self.hub.count("link_slow_reader")
            connection.close(closing.TRY_LATER, "the bot reads too slowly")
            return False
        self.calls.add(echo, self.hub.clock.monotonic() + timeout, on_answer)
        connection.send(frame)
        if self.bot is not None:
            self.bot.sent += 1
        return True

    def name(self, self_id: str, platform: str = "") -> None:
        """The bot said who it is; it can do so once."""
        if self.session.self_id or not self_id:
            return
        self.session.self_id = self_id
        if not self.accept.names_platform:
            self.platform = clean_platform(platform) or self.platform
        if not self.permits(self.key):
            self.hub.count("link_forbidden")
            self.connection.close(closing.FORBIDDEN, NOT_YOURS)
            self.hub.refuse_late(self, closing.FORBIDDEN, NOT_YOURS, "give the client this bot's own token")
        elif self.hub.admission.is_flapping(self.key):
            self.hub.count("link_too_often")
            self.connection.close(closing.TOO_OFTEN, "this bot connected too often in a short time")
        else:
            self.hub.admission.admit(self)

    def attached(self, bot: Bot) -> None:
        """The link speaks for this bot from now on: deliver what came too early."""
        self.bot = bot
        self._received = bot.received
        early, self._early = self._early, None
        for event in early or ():
            if event.self_id in ("", bot.self_id):
                self._deliver(bot, event)
            else:
                self.hub.count("frame_self_id_mismatch")

    def _deliver(self, bot: Bot, event: Event) -> None:
        if event.post_type == META_EVENT:
            self.hub.health.on_meta(bot, event)
        else:
            bot.received += 1
            self.hub.observer.on_event(bot, event)

    def _on_early(self, event: Event) -> None:
        """An event of a bot that is not named yet, or waits for an older link to be probed."""
        early = self._early = self._early or []
        if len(early) >= MAX_EARLY:
            self.hub.count("event_too_early")
            return
        early.append(event)
        if event.post_type == META_EVENT and not self.session.self_id:
            self.name(event.self_id, read_meta(event.raw).platform)

    def _refuse_frame(self, reason: str) -> None:
        self.hub.count(f"frame_{reason}")
        if reason == "bad_utf8":
            self.connection.close(closing.INVALID_TEXT, "the message is not UTF-8")
