"""A TCP relay before Valkey that can lose replies: what was asked is done, and nobody hears of it."""

from __future__ import annotations

import asyncio
import contextlib


class Proxy:
    """Relays loopback connections to a port of loopback. While `deaf`, what the server says is thrown away."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._refusing = False
        self.deaf = False
        self.swallowed = 0
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def lose_replies(self, seconds: float) -> None:
        """Requests go through, replies do not, until the link is cut; after `seconds` in all it is as before."""
        self.deaf = True
        await asyncio.sleep(seconds / 2)
        self._refusing = True
        self.cut()
        await asyncio.sleep(seconds / 2)
        self.deaf = self._refusing = False

    def cut(self) -> None:
        """Break every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self.cut()
            await self._server.wait_closed()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, there[1])
        self._writers.update(pair)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there[1], pair, listening=False))
                group.create_task(self._pump(there[0], writer, pair, listening=True))
        finally:
            self._writers.difference_update(pair)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        listening: bool,
    ) -> None:
        """Move bytes one way until either side ends; then end both."""
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if listening and self.deaf:
                    self.swallowed += len(data)
                    continue
                writer.write(data)
                await writer.drain()
        for one in pair:
            one.transport.abort()
