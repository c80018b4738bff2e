"""One HTTP/1.1 connection: h11 reads and writes the protocol, the desk answers, time and sizes are bounded here."""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import h11
from multidict import CIMultiDict

from botmatrix.nexus.door import send_away
from botmatrix.nexus.handshake import Refuse, Request
from botmatrix.nexus.http.asked import TEXT, Asked, Desk, Reply, refusal

if TYPE_CHECKING:
    from botmatrix.nexus.gateway import Gateway

BODY_SECONDS: Final = 30.0
"""A body must be complete within this."""
IDLE_SECONDS: Final = 75.0
"""A connection without a request is kept so long."""
MAX_SWALLOWED: Final = 1 << 20
"""Bytes of a refused body that are read and dropped, so that the peer hears why instead of a reset."""


class HttpDoor(asyncio.Protocol):
    """Requests are answered one after another; while one waits for its answer nothing more is read."""

    def __init__(self, gateway: Gateway, desk: Desk) -> None:
        self._gateway, self._desk = gateway, desk
        self._http = h11.Connection(h11.SERVER)
        self._asked: Asked | None = None
        self._refused: Refuse | None = None
        self._body: list[bytes] = []
        self._size = self._held = self._turn = 0
        self._working = self._lost = False
        self._timer: asyncio.TimerHandle | None = None
        self.address = self.remote = ""

    # ---------------------------------------------------------------- from the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket_transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self.remote = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "local"
        self._gateway.arrived(self)
        self._within(self._gateway.hub.timing.handshake)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._stop_timer()
        self._forget_body()
        self._gateway.left(self)

    def data_received(self, data: bytes) -> None:
        if not self.socket_transport.is_closing():
            self._http.receive_data(data)
            self._work()

    def eof_received(self) -> bool:
        if not self.socket_transport.is_closing():
            self._http.receive_data(b"")
            self._work()
        return self._http.our_state is h11.SEND_RESPONSE  # half-closed peers still hear their answer

    def turn_away(self, body: bytes) -> None:
        """Answer 503 without waiting for the request, and hang up."""
        send_away(self.socket_transport, body)

    # ---------------------------------------------------------------- reading

    def _work(self) -> None:
        if self._working:
            return
        self._working = True
        try:
            while not self.socket_transport.is_closing() and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self._fail(error.error_status_hint, "this is no HTTP/1.1 request")
        finally:
            self._working = False

    def _take(self, event: object) -> bool:
        """Do what the event asks for. False: nothing more can be read now."""
        match event:
            case h11.Request():
                self._on_head(event)
            case h11.Data():
                self._on_data(bytes(event.data))
            case h11.EndOfMessage():
                self._on_end()
            case h11.ConnectionClosed():
                self.socket_transport.close()
            case h11.PAUSED:
                self.socket_transport.pause_reading()
                return False
            case _:
                self._go_on()
                return False
        return True

    def _on_head(self, head: h11.Request) -> None:
        names = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        request = Request(head.target.decode("latin-1"), CIMultiDict(names))
        self._asked = Asked(head.method.decode("latin-1"), request, self.remote)
        self._within(BODY_SECONDS)
        refused = self._desk.judge(self._asked) or self._too_long(request)
        if refused is not None:
            self._refuse(refused)

    def _too_long(self, request: Request) -> Refuse | None:
        if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            return Refuse(415, "the body is compressed", "send it as it is, without Content-Encoding")
        declared = request.headers.get("Content-Length", "0")
        return self._over() if declared.isdecimal() and int(declared) > self._desk.max_body else None

    def _over(self) -> Refuse:
        return Refuse(413, f"the body is over {self._desk.max_body} bytes", "send less, or raise `max_frame`")

    def _refuse(self, refuse: Refuse) -> None:
        assert self._asked is not None  # noqa: S101  only what was asked is refused
        self._refused = refuse
        self._forget_body()
        self._gateway.note(self.remote, self._asked.request, refuse)
        if self._http.they_are_waiting_for_100_continue:
            self._reply(self._turn, refusal(refuse))

    def _go_on(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))

    def _on_data(self, data: bytes) -> None:
        self._size += len(data)
        if self._refused is not None:
            if self._size > MAX_SWALLOWED:
                self._reply(self._turn, refusal(self._refused))
                self.socket_transport.close()
            return
        if self._size > self._desk.max_body:
            self._refuse(self._over())
        elif len(data) > self._desk.room:
            self._refuse(Refuse(503, "too many bodies are being read", "try again soon", (("Retry-After", "1"),)))
        else:
            self._body.append(data)
            self._desk.room -= len(data)
            self._held += len(data)

    def _on_end(self) -> None:
        self._stop_timer()
        self._gateway.finished(self)
        refused, asked, body = self._refused, self._asked, b"".join(self._body)
        self._forget_body()
        if refused is not None:
            self._reply(self._turn, refusal(refused))
        elif asked is not None:
            self._desk.serve(asked, body, partial(self._reply, self._turn))

    def _forget_body(self) -> None:
        self._desk.room += self._held
        self._held = 0
        self._body = []

    # ---------------------------------------------------------------- answering

    @property
    def _is_head(self) -> bool:
        """Whether only the head of an answer may be sent."""
        return self._asked is not None and self._asked.method == "HEAD"

    def _reply(self, turn: int, reply: Reply) -> None:
        if self._lost or turn != self._turn or self._http.our_state is not h11.SEND_RESPONSE:
            return
        self._turn += 1
        headers = [("Content-Length", str(len(reply.body))), *reply.headers]
        headers += [("Content-Type", reply.content_type)] if reply.body else []
        phrase = HTTPStatus(reply.status).phrase.encode()
        out = self._http.send(h11.Response(status_code=reply.status, headers=headers, reason=phrase)) or b""
        if reply.body and not self._is_head:
            out += self._http.send(h11.Data(data=reply.body)) or b""
        out += self._http.send(h11.EndOfMessage()) or b""
        self._write(out)
        self._next()

    def _next(self) -> None:
        """The connection is ready for another request, or is over."""
        self._asked = self._refused = None
        self._size = 0
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._stop_timer()
            self.socket_transport.close()
            return
        self._http.start_next_cycle()
        self._within(IDLE_SECONDS)
        self.socket_transport.resume_reading()
        self._work()

    def _fail(self, status: int, words: str) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = words.encode()
            headers = [("Content-Length", str(len(body))), ("Content-Type", TEXT), ("Connection", "close")]
            phrase = HTTPStatus(status).phrase.encode()
            self._write(self._http.send(h11.Response(status_code=status, headers=headers, reason=phrase)))
            if not self._is_head:
                self._write(self._http.send(h11.Data(data=body)))
        self.socket_transport.close()

    def _write(self, data: bytes | None) -> None:
        if data:
            self.socket_transport.write(data)

    # ---------------------------------------------------------------- time

    def _within(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self._asked is not None:
            self._fail(408, "the request took too long")
        else:
            self.socket_transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
