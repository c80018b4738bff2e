"""Watches one connection's time: pings, signs of life, messages that never end, a Close that is not answered.

There is no timer and no task for each link: `sweeper.py` comes by about once a second.
"""

from __future__ import annotations

from typing import Protocol

from botmatrix.nexus import closing
from botmatrix.nexus.connection import Connection, ConnectionState
from botmatrix.nexus.timing import Timing


class ReadBuffer(Protocol):
    """The part of `asyncio.BufferedProtocol` that tells how much is in the buffer."""

    def get_buffer(self, sizehint: int, /) -> memoryview:
        """The free part of the buffer."""
        ...


class Vigil:
    """What was seen of one connection at the last visit. `now` is monotonic time, everywhere the same
    clock's.
    """

    __slots__ = (
        *("_assembling_since", "_buffer", "_closing_since", "_frames", "_pending"),
        *("_pinged_at", "_protocol", "_room", "_stalled_since", "alive_at", "connection", "timing"),
    )

    def __init__(self, connection: Connection, protocol: ReadBuffer, timing: Timing, now: float) -> None:
        self.connection = connection
        self.timing = timing
        self.alive_at = now
        self._protocol = protocol
        self._pinged_at = now
        self._frames = 0
        self._room = self._pending = 0
        self._assembling_since = self._stalled_since = self._closing_since = 0.0

    def visit(self, now: float, elapsed: float) -> None:
        """Look at the connection and do what is due. `elapsed`: seconds since the last visit."""
        connection, timing = self.connection, self.timing
        if connection.state is not ConnectionState.OPEN or connection.transport.is_close_frame_sent:
            self._watch_end(now)
            return
        if connection.frames != self._frames or connection.is_held or elapsed > timing.ping:
            # What a held link says is not read, nor is anything during a pause of our own.
            self._frames = connection.frames
            self.alive_at = now
        if now - self._pinged_at >= timing.ping:
            self._pinged_at = now
            connection.ping()
        self._watch_message(now, elapsed)
        if now - self.alive_at > timing.silence:
            connection.close(closing.SILENT, "no sign of life")
            connection.abort()

    def _watch_end(self, now: float) -> None:
        self._closing_since = self._closing_since or now
        if now - self._closing_since >= self.timing.closing:
            self.connection.abort()

    def _watch_message(self, now: float, elapsed: float) -> None:
        assembling = self.connection.assembling
        stalled = self._is_stalled(elapsed)
        self._assembling_since = (self._assembling_since or now) if assembling else 0.0
        self._stalled_since = (self._stalled_since or now) if stalled else 0.0
        for since in (self._assembling_since, self._stalled_since):
            if since and now - since > self.timing.partial:
                self.connection.close(closing.POLICY, "the message took too long")
                return

    def _is_stalled(self, elapsed: float) -> bool:
        """Whether half a frame lies in the read buffer and hardly grows.

        picows tells nothing of unfinished frames, but offers the free part of its read buffer, which is
        largest when no byte waits. A growing buffer is a large frame that comes along well.
        """
        free = len(self._protocol.get_buffer(-1))
        if free >= self._room:
            self._room, self._pending = free, 0
            return False
        pending, before = self._room - free, self._pending
        self._pending = pending
        if before and pending - before >= self.timing.partial_rate * elapsed:
            self.alive_at += elapsed
            return False
        return True
