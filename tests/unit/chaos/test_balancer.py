"""The TCP balancer: by turns, past those that refuse, and what was said before an end arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from bench.parts import free_port
from tests.chaos.balancer import Balancer

LONG = 4 << 20


class Listener:
    """Reads a connection to its end, then says how much there was."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        said = await reader.read()
        writer.write(b"%d" % len(said) + said)
        writer.close()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def listeners() -> AsyncIterator[list[Listener]]:
    listeners = [Listener(), Listener()]
    for listener in listeners:
        await listener.start()
    yield listeners
    for listener in listeners:
        await listener.close()


async def ask(port: int, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_connections_go_to_each_by_turns(listeners: list[Listener]) -> None:
    balancer = Balancer([listener.port for listener in listeners])
    await balancer.start()
    assert [await ask(balancer.port, b"x") for _ in range(6)] == [b"1x"] * 6
    assert [listener.connections for listener in listeners] == [3, 3]
    await balancer.close()


async def test_one_that_refuses_is_passed_over(listeners: list[Listener]) -> None:
    balancer = Balancer([free_port(), listeners[0].port])
    await balancer.start()
    assert [await ask(balancer.port, b"x") for _ in range(4)] == [b"1x"] * 4
    await balancer.close()


async def test_all_that_was_said_before_the_end_arrives(listeners: list[Listener]) -> None:
    balancer = Balancer([listeners[0].port])
    await balancer.start()
    assert await ask(balancer.port, b"x" * LONG) == b"%d" % LONG + b"x" * LONG
    await balancer.close()


async def test_with_nobody_there_the_connection_ends() -> None:
    balancer = Balancer([free_port()])
    await balancer.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    await balancer.close()
