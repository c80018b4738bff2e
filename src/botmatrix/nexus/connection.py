"""The gateway's share of WebSocket (RFC 6455): picows delivers frames, this makes messages of them.

picows refuses by itself: unmasked frames, unknown opcodes, broken lengths, fragmented or long control
frames (1002) and frames over the limit (1009, at the header). Ours: reserved bits, the order, size and
number of fragments, pongs, close codes, and that nothing is delivered after the end. What takes too long is
the business of `vigil.py`.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import Final, Protocol

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from botmatrix.nexus import closing
from botmatrix.nexus.framing import text_frame

MAX_FRAGMENTS: Final = 1024
MAX_UNSENT_PONGS: Final = 64 * 1024
MASKED_BY_US: Final = 4096
"""Bytes: for larger messages a write of their own costs less than masking them in Python."""
TURN: Final = 128
"""After so many frames a link lets the others have their turn; what is in its buffer still comes."""

HOLD_PROBE: Final = 1
HOLD_PRESSURE: Final = 2
HOLD_TURN: Final = 4
"""Why a connection is not read: an older link is probed, the hub can't take more, others have their turn."""

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _CLOSE = WSMsgType.PING, WSMsgType.CLOSE


class ConnectionState(IntEnum):
    """HANDSHAKE -> OPEN -> DRAINING or CLOSING -> CLOSED.

    DRAINING: our Close is on its way, what the peer sent before it read that is still delivered. CLOSING:
    the same, but nothing is delivered any more.
    """

    HANDSHAKE = 0
    OPEN = 1
    DRAINING = 2
    CLOSING = 3
    CLOSED = 4


class Owner(Protocol):
    """Whoever a connection belongs to. All calls come on the event loop and must be quick."""

    def on_open(self) -> None:
        """The upgrade is done: messages may be sent."""
        ...

    def on_message(self, payload: bytes) -> None:
        """One whole message, text or binary; whether it is UTF-8 was not checked."""
        ...

    def on_room(self) -> None:
        """The peer has read what waited in the write buffer."""
        ...

    def on_end(self) -> None:
        """No message will be delivered or sent any more. Called exactly once after `on_open`."""
        ...


_OPEN, _DRAINING = ConnectionState.OPEN, ConnectionState.DRAINING
_CLOSING, _CLOSED = ConnectionState.CLOSING, ConnectionState.CLOSED


class Connection(WSListener):
    """One WebSocket. `frames` counts what arrived, of every kind: the sign of life that `vigil.py` looks
    at.
    """

    __slots__ = (
        *("_holds", "_parts", "_size"),
        *("frames", "max_size", "owner", "state", "transport"),
    )

    transport: WSTransport

    def __init__(self, owner: Owner, max_size: int) -> None:
        self.owner = owner
        self.max_size = max_size
        self.state = ConnectionState.HANDSHAKE
        self.frames = 0
        self._parts: list[bytes] | None = None
        self._size = 0
        self._holds = 0

    # From picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.state = _OPEN
        self.owner.on_open()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.frames += 1
        if not self.frames % TURN:
            self._take_turns()
        kind = frame.msg_type
        if self.state > _DRAINING:
            if kind is _CLOSE:
                transport.disconnect()
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(closing.PROTOCOL_ERROR, "reserved bits are set, but no extension was agreed on")
        elif (kind is _TEXT or kind is _BINARY) and frame.fin and self._parts is None:
            self.owner.on_message(frame.get_payload_as_bytes())
        elif kind is _CONTINUATION or kind is _TEXT or kind is _BINARY:
            self._assemble(kind, frame)
        else:
            self._control(kind, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        ended = self.state > _DRAINING
        self.state = _CLOSED
        self._parts = None
        if not ended:
            self.owner.on_end()

    def pause_writing(self) -> None:
        """The buffer is over its mark; `send` looks at its size itself."""

    def resume_writing(self) -> None:
        """The buffer is below its mark again."""
        self.owner.on_room()

    # For the owner

    @property
    def assembling(self) -> bool:
        """Whether a message has begun and its last fragment has not come."""
        return self._parts is not None

    @property
    def is_held(self) -> bool:
        """Whether reading is paused for longer than a turn."""
        return self._holds & ~HOLD_TURN != 0

    @property
    def unsent(self) -> int:
        """Bytes that wait in the write buffer because the peer does not read."""
        return self.transport.underlying_transport.get_write_buffer_size()

    def send(self, payload: bytes) -> None:
        """Write one text message; nothing happens when the connection is not open.

        What is sent in one turn of the loop leaves in one write, at its end: a write costs the kernel more than a
        message costs us. picows would write each at once, unless something waits already.
        """
        transport = self.transport
        if self.state is not _OPEN or transport.is_disconnected:
            return
        stream = transport.underlying_transport
        if not transport.is_client_side:
            stream.write(text_frame(payload))
        elif len(payload) > MASKED_BY_US or stream.get_write_buffer_size():
            transport.send(_TEXT, payload)
        else:
            stream.write(text_frame(payload, masked=True))

    def ping(self) -> None:
        """Ask for a sign of life."""
        if self.state is _OPEN:
            self.transport.send_ping()

    def close(self, code: int, reason: str) -> None:
        """Send Close and deliver nothing more; `vigil.py` ends what the peer does not."""
        if self.state is _OPEN or self.state is _DRAINING:
            self._send_close(code, closing.reason_bytes(reason))
            self.state = _CLOSING
            self._parts = None
            self._let_go()
            self.owner.on_end()

    def drain(self, code: int, reason: str) -> None:
        """Send Close, and deliver what the peer sends until it closes too."""
        if self.state is _OPEN:
            self._send_close(code, closing.reason_bytes(reason))
            self.state = _DRAINING
            self._let_go()

    def hang_up(self) -> None:
        """End the connection when everything is written."""
        if self.state is not ConnectionState.HANDSHAKE:
            self.transport.disconnect()

    def abort(self) -> None:
        """End the connection at once, dropping what was not sent."""
        if self.state is not ConnectionState.HANDSHAKE:
            self.transport.disconnect(False)

    def hold(self, why: int) -> None:
        """Stop reading for this reason (one bit): the peer is slowed down by TCP."""
        if self.state is _OPEN and not self._holds:
            self._read(False)
        self._holds |= why

    def release(self, why: int) -> None:
        """This reason not to read is gone."""
        if self._holds & why:
            self._holds &= ~why
            if self.state is _OPEN and not self._holds:
                self._read(True)

    # Inside

    def _take_turns(self) -> None:
        self.hold(HOLD_TURN)
        asyncio.get_running_loop().call_soon(self.release, HOLD_TURN)

    def _let_go(self) -> None:
        """Read again, whoever held it: the peer's Close is still to come."""
        if self._holds:
            self._holds = 0
            self._read(True)

    def _read(self, wanted: bool) -> None:
        stream = self.transport.underlying_transport
        if not stream.is_closing():
            (stream.resume_reading if wanted else stream.pause_reading)()

    def _send_close(self, code: int, reason: bytes) -> None:
        self.transport.send_close(code, reason)  # type: ignore[arg-type]

    def _assemble(self, kind: WSMsgType, frame: WSFrame) -> None:
        parts = self._parts
        if (kind is _CONTINUATION) is (parts is None):
            self.close(closing.PROTOCOL_ERROR, "a fragment is out of order")
            return
        if parts is None:
            parts, self._size = [], 0
        self._size += frame.payload_size
        if self._size > self.max_size:
            self.close(closing.TOO_BIG, f"the message is over {self.max_size} bytes")
        elif len(parts) >= MAX_FRAGMENTS:
            self.close(closing.POLICY, f"the message has over {MAX_FRAGMENTS} fragments")
        elif frame.fin:
            parts.append(frame.get_payload_as_bytes())
            self._parts = None
            self.owner.on_message(b"".join(parts))
        else:
            parts.append(frame.get_payload_as_bytes())
            self._parts = parts

    def _control(self, kind: WSMsgType, frame: WSFrame) -> None:
        if kind is _PING:
            if self.unsent < MAX_UNSENT_PONGS:  # a peer that floods pings and reads no pong fills no memory
                self.transport.send_pong(frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._on_close(frame)

    def _on_close(self, frame: WSFrame) -> None:
        code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big")
        if not frame.payload_size:
            self._send_close(closing.NORMAL, b"")
        elif closing.may_be_sent(code):
            self._send_close(code, b"")
        else:
            self._send_close(closing.PROTOCOL_ERROR, b"this close code may not be sent")
        self.state = _CLOSING
        self.transport.disconnect()
        self.owner.on_end()
