"""One WebSocket of a socket worker: events go out in order as the worker reads them, its frames come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from botmatrix.bus.envelope import Envelope, decode_envelope
from botmatrix.errors import BadFrame
from botmatrix.nexus.connection import Connection, ConnectionState
from botmatrix.nexus.spool import Parcel, Spool
from botmatrix.nexus.vigil import Vigil

if TYPE_CHECKING:
    from botmatrix.nexus.sockets.request import AcceptWorker
    from botmatrix.nexus.sockets.worker import SocketWorker
    from botmatrix.nexus.sockets.workers import SocketWorkers

log = structlog.get_logger("sockets")

ROOM: Final = 128 * 1024
"""Bytes that may wait in the write buffer; what comes after waits in the outbox and isn't handed over yet."""
MAX_UNSENT: Final = 32 * 1024 * 1024
"""A worker that asks for much and reads nothing is sent away at so many bytes of answers."""


class _About(msgspec.Struct, gc=False):
    """Where an action acts: tells which event it answers."""

    group_id: int | str | None = None
    user_id: int | str | None = None


_about = msgspec.json.Decoder(_About).decode


def conversation_of(params: bytes) -> str:
    """The conversation in which an action acts; `""` when its parameters can't be read."""
    try:
        about = _about(params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return f"group:{about.group_id}" if about.group_id else f"private:{about.user_id}"


class WorkerLink(ABC):
    """A link; `application.py` and `old.py` say what is spoken on it. `worker` is set when it opens."""

    connection: Connection
    vigil: Vigil
    worker: SocketWorker

    def __init__(self, sockets: SocketWorkers, accept: AcceptWorker, remote: str, spool: Spool) -> None:
        self.sockets, self.accept, self.remote = sockets, accept, remote
        self.outbox = spool
        self.place = -1
        self.heard_at = self.beat_at = 0.0

    def __repr__(self) -> str:
        return f"<WorkerLink {self.accept.worker_id} for {self.accept.bot or 'all bots'} from {self.remote}>"

    # ---------------------------------------------------------------- from the connection

    def on_open(self) -> None:
        """The upgrade is done."""
        self.sockets.opened(self)

    def on_message(self, payload: bytes) -> None:
        """One frame of the worker."""
        try:
            self.said(payload)
        except BadFrame as error:
            self.sockets.count(f"socket_frame_{error.reason}")

    def on_room(self) -> None:
        """The peer has read what was in the write buffer."""
        self.pump()

    def on_end(self) -> None:
        """The link is gone."""
        self.sockets.ended(self)

    def visit(self, now: float, elapsed: float) -> None:
        """Once a second, from the sweeper."""
        if self.connection.state is ConnectionState.CLOSED:
            self.sockets.hub.sweeper.remove(self, self.place)
            return
        self.vigil.visit(now, elapsed)
        self.worker.expire(now)
        self.pump()
        self.beat(now)

    # ---------------------------------------------------------------- events out

    def take(self, parcel: Parcel, envelope: Envelope | None = None) -> None:
        """Write the event now, or when the worker has read what is before it."""
        self.worker.begin(parcel.pin, self.sockets.clock.now())
        if len(self.outbox) or self.connection.unsent > ROOM:
            self.outbox.put(parcel)
        else:
            self._hand(parcel, envelope or decode_envelope(parcel.payload))

    def pump(self) -> None:
        """Write what waits, as far as the peer reads."""
        while len(self.outbox) and self.is_open and self.connection.unsent <= ROOM:
            parcel = self.outbox.pop()
            self._hand(parcel, decode_envelope(parcel.payload))

    @property
    def is_open(self) -> bool:
        """Whether events can be written."""
        return self.connection.state is ConnectionState.OPEN

    def _hand(self, parcel: Parcel, envelope: Envelope) -> None:
        try:
            frame = self.event(envelope)
        except RecursionError:  # nested just as deep as it could be read at the gateway
            frame = bytes(envelope.event)
        self.connection.send(frame)
        self.worker.written(envelope.id, parcel, self.sockets.clock, envelope.t / 1000)

    # ---------------------------------------------------------------- what each kind says in its own way

    @abstractmethod
    def greet(self) -> None:
        """The first frame of the link, if there is one."""

    @abstractmethod
    def event(self, envelope: Envelope) -> bytes:
        """The frame of an event."""

    @abstractmethod
    def said(self, payload: bytes) -> None:
        """One frame of the worker. Raises `BadFrame`."""

    @abstractmethod
    def beat(self, now: float) -> None:
        """A heartbeat, if one is due."""

    # ---------------------------------------------------------------- actions in

    def acts(self, bot: str, params: bytes) -> str:
        """The worker acts through this bot: the first time in a conversation that answers its oldest event.

        The id of that event, or `""`.
        """
        conv = conversation_of(params)
        return self.worker.answered(bot, conv, self.sockets.clock.now()) if conv else ""

    def answer(self, frame: bytes) -> None:
        """Write an answer; a worker that reads none of them is sent away before it fills the memory."""
        if not self.is_open:
            self.sockets.count("socket_answer_undeliverable")
        elif self.connection.unsent > MAX_UNSENT:
            self.sockets.count("socket_slow_reader")
            self.connection.abort()
        else:
            self.connection.send(frame)
