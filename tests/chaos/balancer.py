"""A TCP balancer before several gateways, as simple as they come: each connection goes to the next one that listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence


class Balancer:
    """Relays loopback connections to one of some ports of loopback, in turn; those that refuse are passed over.

    An end of the stream is handed on as one, so what was said before it arrives.
    """

    def __init__(self, targets: Sequence[int]) -> None:
        self._targets = list(targets)
        self._next = 0
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transports = [writer.transport]
        try:
            far_reader, far_writer = await self._dial()
            transports.append(far_writer.transport)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            for transport in transports:
                transport.abort()
        for transport in transports:
            transport.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The next target that listens. Raises `ConnectionRefusedError` when none does."""
        for _ in self._targets:
            target, self._next = self._targets[self._next], (self._next + 1) % len(self._targets)
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", target)
        raise ConnectionRefusedError("nobody listens")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Move bytes one way until their end. Raises `OSError` when either side breaks."""
    while data := await reader.read(1 << 16):
        if writer.transport.is_closing():
            raise ConnectionResetError("the other side is gone")
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):  # uvloop's word for a transport that is closed
        writer.write_eof()
