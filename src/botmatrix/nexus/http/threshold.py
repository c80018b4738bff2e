"""Looks at the first line of each connection, and hands it to whoever speaks its protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from botmatrix.nexus.door import Door, send_away
from botmatrix.nexus.handshake import Refuse, Request
from botmatrix.nexus.http.asked import Desk, speaks_http
from botmatrix.nexus.http.door import HttpDoor

if TYPE_CHECKING:
    from botmatrix.nexus.gateway import Gateway

MAX_LINE: Final = 16 * 1024
_TLS: Final = b"\x16\x03"
"""How each TLS connection begins; no HTTP request does."""


class Threshold(asyncio.Protocol):
    """Holds a connection until its first line is there. Costs a connection some microseconds, a message nothing."""

    def __init__(self, gateway: Gateway, desk: Desk) -> None:
        self._gateway, self._desk = gateway, desk
        self._seen = b""
        self._timer: asyncio.TimerHandle | None = None
        self.address = self.remote = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket_transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self.remote = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "local"
        seconds = self._gateway.hub.timing.handshake
        self._timer = asyncio.get_running_loop().call_later(seconds, self.socket_transport.abort)
        self._gateway.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def turn_away(self, body: bytes) -> None:
        """Answer 503 without waiting for the request, and hang up."""
        send_away(self.socket_transport, body)

    def data_received(self, data: bytes) -> None:
        if self.socket_transport.is_closing():
            return
        self._seen += data
        line, end, _ = self._seen.partition(b"\r\n")
        if self._seen.startswith(_TLS):
            self._refuse_tls()
        elif not end and len(self._seen) <= MAX_LINE:
            return
        elif end and speaks_http(line):
            self._open_http()
        else:
            self._open_websocket()

    def _open_http(self) -> None:
        self._end()
        door = HttpDoor(self._gateway, self._desk)
        self.socket_transport.set_protocol(door)
        door.connection_made(self.socket_transport)
        door.data_received(self._seen)

    def _open_websocket(self) -> None:
        self._end()
        door = Door(self._gateway)
        self.socket_transport.set_protocol(cast("asyncio.BaseProtocol", door))
        door.connection_made(self.socket_transport)
        seen = memoryview(self._seen)
        while seen and not self.socket_transport.is_closing():
            room = door.get_buffer(-1)
            part = seen[: len(room)]
            room[: len(part)] = part
            seen = seen[len(part) :]
            door.buffer_updated(len(part))

    def _refuse_tls(self) -> None:
        reason = "the client speaks TLS (wss:// or https://), but this port is plain"
        cure = "put ws:// in front of the address, or a reverse proxy with a certificate in front of the gateway"
        self._gateway.note(self.remote, Request("", {}), Refuse(400, reason, cure))
        self.socket_transport.abort()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gateway.left(self)
