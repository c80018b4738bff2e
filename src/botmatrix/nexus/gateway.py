"""The port that bots connect to: accepts connections, judges requests, makes links, ends them in order."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from typing import Final, Protocol

from picows import WSUpgradeRequest

from botmatrix.clock import Clock
from botmatrix.nexus import closing
from botmatrix.nexus.connection import Connection
from botmatrix.nexus.door import Door
from botmatrix.nexus.handshake import Accept, Refuse, Request, decide, mask, refuse_version
from botmatrix.nexus.http.asked import Desk
from botmatrix.nexus.http.threshold import Threshold
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.links import Link
from botmatrix.nexus.refusals import Refusal
from botmatrix.nexus.sockets.link import WorkerLink
from botmatrix.nexus.sockets.request import AcceptWorker, decide_worker, is_workers_road
from botmatrix.nexus.sockets.workers import SocketWorkers
from botmatrix.nexus.tokens import Tokens
from botmatrix.nexus.vigil import Vigil

log = logging.getLogger(__name__)

BACKLOG: Final = 8192
RECEIVE_BUFFER: Final = 64 * 1024
"""Of each socket: also the most that one bot can have read in one turn of the loop, so that a flood stays
fair.
"""
SPARE_FILES: Final = 64
"""Descriptors that are kept for engines and logs when links take all others."""
MAX_UNFINISHED: Final = 8192


class Guest(Protocol):
    """One accepted TCP connection, whatever it turns out to speak."""

    address: str
    socket_transport: asyncio.Transport

    def turn_away(self, body: bytes) -> None:
        """Answer 503 without waiting for the request, and hang up."""
        ...


class Gateway:
    """Bots' links on one port; `tokens` says which tokens open a link, `max_frame` is in bytes.

    With a `desk` the port answers plain HTTP too, for bots and applications that speak nothing else.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        host: str,
        port: int,
        tokens: Tokens,
        max_frame: int,
        clock: Clock | None = None,
        reuse_port: bool = False,
        sockets: SocketWorkers | None = None,
        worker_opens: Callable[[str, str], bool] = lambda _name, _token: False,
        desk: Desk | None = None,
    ) -> None:
        self.hub = hub
        self.host = host
        self.port = port
        self.max_frame = max_frame
        self._tokens = tokens
        self._sockets = sockets
        self._worker_opens = worker_opens
        self._desk = desk
        self._clock = clock or hub.clock
        self._reuse_port = reuse_port
        self._server: asyncio.Server | None = None
        self._doors: dict[Guest, Connection | None] = {}
        self._unfinished: dict[str, dict[Guest, None]] = {}
        self._empty = asyncio.Event()
        self._max_doors = 0

    async def start(self) -> None:
        """Listen; `port` is the bound one then. Raises `OSError` when the port can't be had."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._max_doors = max(files - SPARE_FILES, SPARE_FILES)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._guest,
            self.host or None,
            self.port,
            backlog=BACKLOG,
            reuse_port=self._reuse_port or None,
        )
        for listener in self._server.sockets:
            self._tune(listener)
        self.port = self._server.sockets[0].getsockname()[1]
        self.hub.start()

    async def stop(self, *, code: int = closing.RESTART, grace: float = 5.0) -> None:
        """Accept nothing more, send Close to all, deliver what they sent before they read it, then hang up.

        Returns when every peer has closed, or after `grace` seconds.
        """
        if self._server is not None:
            self._server.close()
        for door, connection in list(self._doors.items()):
            if connection is None:
                door.socket_transport.abort()
            else:
                connection.drain(code, "the hub restarts: come back")
        await self._until_empty(grace)
        for door in list(self._doors):
            door.socket_transport.abort()
        await self._until_empty(1.0)
        self.hub.stop()

    # From the doors

    def arrived(self, door: Guest) -> None:
        """A TCP connection was accepted."""
        if len(self._doors) >= self._max_doors:
            self.hub.count("connection_no_files")
            door.turn_away(b"no file descriptors are left: raise the limit of open files (ulimit -n)\n")
            return
        self._doors[door] = None
        waiting = self._unfinished.setdefault(door.address, {})
        waiting[door] = None
        if len(waiting) > min(self._max_doors // 2, MAX_UNFINISHED):
            self.hub.count("handshake_crowded_out")
            next(iter(waiting)).socket_transport.abort()

    def judge(self, door: Door, request: WSUpgradeRequest) -> Connection | Refuse:
        """The request is complete: a connection for whoever may come in."""
        self.finished(door)
        target = request.path.decode("ascii", "surrogateescape")
        asked = Request(target, request.headers)
        answer = self._decide(door, asked)
        if not isinstance(answer, Refuse):
            answer = refuse_version(asked) or answer
        if isinstance(answer, Accept) and self.hub.admission.is_flapping(answer.key):
            answer = _back_off(self.hub.timing.flapping)
        if isinstance(answer, Accept) and (seconds := self._tokens.banned(answer.key)):
            answer = _stay_away(seconds)
        if isinstance(answer, Refuse):
            self.note(door.remote, asked, answer)
            return answer
        if "upgrade" in request.headers.get("Connection", "").lower():
            request.headers["Connection"] = "Upgrade"  # picows takes no list, browsers and proxies send one
        return self._connection(door, answer)

    def left(self, door: Guest) -> None:
        """The TCP connection is gone."""
        self.finished(door)
        self._doors.pop(door, None)
        if not self._doors:
            self._empty.set()

    def finished(self, door: Guest) -> None:
        """Its first request is complete."""
        waiting = self._unfinished.get(door.address)
        if waiting is not None and waiting.pop(door, door) is None and not waiting:
            del self._unfinished[door.address]

    def note(self, remote: str, request: Request, refuse: Refuse) -> None:
        """Keep a refusal for whoever wonders why a client can't get in."""
        self.hub.count(f"handshake_{refuse.status}")
        refusal = Refusal(
            at=self._clock.now(),
            remote=remote,
            target=mask(request.target),
            self_id=mask(request.headers.get("X-Self-ID", "")),
            user_agent=mask(request.headers.get("User-Agent", "")),
            status=refuse.status,
            reason=refuse.reason,
            cure=refuse.cure,
        )
        if self.hub.refusals.add(refusal):
            log.warning("refused %s at %s (%d): %s", remote, refusal.target, refuse.status, refuse.reason)

    # Inside

    def _guest(self) -> asyncio.BaseProtocol:
        if self._desk is not None:
            return Threshold(self, self._desk)
        door: asyncio.BaseProtocol = Door(self)
        return door

    def _decide(self, door: Door, asked: Request) -> Accept | AcceptWorker | Refuse:
        if self._sockets is not None and is_workers_road(asked.target):
            answer = decide_worker(asked, door.remote, self._worker_opens, self.hub.bots)
            taken = isinstance(answer, AcceptWorker) and self._sockets.is_taken(answer.worker_id)
            return _name_taken() if taken else answer
        return decide(asked, self._tokens)

    def _connection(self, door: Door, accept: Accept | AcceptWorker) -> Connection:
        link: Link | WorkerLink
        if isinstance(accept, AcceptWorker):
            assert self._sockets is not None  # noqa: S101  only then are workers let in
            link = self._sockets.link(accept, door.remote)
        else:
            link = Link(self.hub, accept, door.remote, lambda key: self._permits(key, accept.token))
        link.connection = Connection(link, self.max_frame)
        link.vigil = Vigil(link.connection, door, self.hub.timing, self._clock.monotonic())
        self._doors[door] = link.connection
        return link.connection

    def _permits(self, key: str, token: str) -> bool:
        return self._tokens.opens(key, token) and not self._tokens.banned(key)

    def _tune(self, listener: socket.socket) -> None:
        """Options of the listener that accepted sockets inherit."""
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            unanswered = int(self.hub.timing.silence * 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unanswered)

    async def _until_empty(self, seconds: float) -> None:
        self._empty.clear()
        if not self._doors:
            return
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            log.info("%d links did not close in time", len(self._doors))


def _back_off(seconds: float) -> Refuse:
    return Refuse(
        429,
        "this bot connected too often in a short time",
        "let the client wait longer before it reconnects, and see that only one client uses this account",
        (("Retry-After", str(max(1, round(seconds)))),),
    )


def _name_taken() -> Refuse:
    return Refuse(
        409,
        "a stream worker has this name",
        "give the application another one with ?name=, or change worker_id of the other",
    )


def _stay_away(seconds: float) -> Refuse:
    return Refuse(
        403,
        "an operator sent this bot away for a while",
        "wait, or let it in again with `botmatrix bot kick BOT --ban 0`",
        (("Retry-After", str(max(1, round(seconds)))),),
    )
