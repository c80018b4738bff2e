"""The face of a connection for a bot that has none: to the hub it looks like any other bot's link."""

from __future__ import annotations

from collections.abc import Callable

from botmatrix.nexus.connection import Connection, ConnectionState, Owner
from botmatrix.nexus.vigil import Vigil


class HttpConnection(Connection):
    """What is sent goes to `on_send`; `on_ping` is asked for a sign of life, which is one more of `frames`."""

    def __init__(
        self, owner: Owner, max_size: int, on_send: Callable[[bytes], None], on_ping: Callable[[], None]
    ) -> None:
        super().__init__(owner, max_size)
        self._on_send, self._on_ping = on_send, on_ping
        self.closed_with = ""

    def open(self) -> None:
        """The bot is there."""
        self.state = ConnectionState.OPEN
        self.owner.on_open()

    @property
    def unsent(self) -> int:
        """Actions that wait are counted by `Calls`, not here."""
        return 0

    def send(self, payload: bytes) -> None:
        if self.state is ConnectionState.OPEN:
            self._on_send(payload)

    def ping(self) -> None:
        if self.state is ConnectionState.OPEN:
            self._on_ping()

    def close(self, code: int, reason: str) -> None:
        if self.state is ConnectionState.OPEN:
            self.state = ConnectionState.CLOSED
            self.closed_with = f"{code}: {reason}"
            self.owner.on_end()

    def drain(self, code: int, reason: str) -> None:
        self.close(code, reason)

    def abort(self) -> None:
        """There is nothing to hang up."""

    def _read(self, wanted: bool) -> None:
        """What is posted meanwhile is answered with 503."""


class NoVigil(Vigil):
    """A bot's HTTP side is watched by its `HttpPeer`."""

    def __init__(self) -> None:
        """It looks at nothing."""

    def visit(self, now: float, elapsed: float) -> None:
        """Nothing is due."""
