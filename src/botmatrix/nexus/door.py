"""One accepted TCP connection: picows' protocol, from the first byte of the request to the end of the
socket.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from picows import WSAutoPingStrategy, WSListener, WSUpgradeRequest, WSUpgradeResponse
from picows.api import WSProtocol  # type: ignore[attr-defined]
from picows.common import WSUpgradeResponseWithListener

from botmatrix.nexus.handshake import Refuse

if TYPE_CHECKING:
    import asyncio

    from botmatrix.nexus.gateway import Gateway

log = logging.getLogger(__name__)

READ_BUFFER: Final = 2048
"""Where each link's read buffer starts; picows doubles it for whoever sends more at once."""


class _PeersFaults:
    """What picows logs with. Faults of peers are counted, not logged; our own come through."""

    exception = staticmethod(log.exception)

    def isEnabledFor(self, level: int) -> bool:
        return False

    def debug(self, *args: object) -> None:
        """A peer's doing."""

    log = info = warning = error = debug


class Door(WSProtocol):  # type: ignore[misc]
    """Knows the peer's address, which picows does not tell those who judge the request."""

    __slots__ = ("_gateway", "address", "remote", "socket_transport")

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(
            host_port=None,
            ws_path=None,
            is_client_side=False,
            ws_listener_factory=self._on_request,
            logger=_PeersFaults(),
            disconnect_on_exception=False,
            websocket_handshake_timeout=gateway.hub.timing.handshake,
            enable_auto_ping=False,
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,
            max_frame_size=gateway.max_frame,
            extra_headers=None,
            read_buffer_init_size=READ_BUFFER,
        )
        self._gateway = gateway
        self.address = self.remote = ""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        peer: Any = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self.remote = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "local"
        self.socket_transport = transport
        self._gateway.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gateway.left(self)

    def turn_away(self, body: bytes) -> None:
        """Answer 503 without waiting for the request, and hang up."""
        send_away(self.socket_transport, body)

    def _on_request(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        answer = self._gateway.judge(self, request)
        return answer if isinstance(answer, WSListener) else _refusal(answer)


def send_away(transport: asyncio.Transport, body: bytes) -> None:
    """Answer 503 without waiting for the request, and hang up."""
    transport.write(
        b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    transport.close()


def _refusal(refuse: Refuse) -> WSUpgradeResponseWithListener:
    body = f"{refuse.reason}\n{refuse.cure}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), *refuse.headers]
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(refuse.status, body, headers), None)
