"""The gateway's one port for WebSocket and HTTP, and peers that mean no good."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.http.conftest import House, HttpImplementation, message, online, signed

from botmatrix.nexus.app import Nexus
from botmatrix.nexus.http import door


@pytest.fixture
async def bot(house: House) -> HttpImplementation:
    return await house.implementation()


@pytest.fixture
async def nexus(house: House, bot: HttpImplementation) -> Nexus:
    nexus = await house.serve(bot.entry(), max_frame=65536)
    await online(nexus)
    return nexus


async def raw(nexus: Nexus, *parts: bytes) -> bytes:
    """Everything that is answered until the connection ends, to bytes sent piece by piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", nexus.gateway.port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.005)
        async with asyncio.timeout(8):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def post(event: dict[str, object], *more: str) -> bytes:
    sent = signed(event)
    lines = ["POST /onebot/v11/http HTTP/1.1", "Host: x", *(f"{name}: {v}" for name, v in sent["headers"].items())]
    body: bytes = sent["content"]
    lines += [f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_both_protocols_are_served_by_one_port(house: House, nexus: Nexus) -> None:
    await house.bot(nexus, 20002)
    client = await house.http(nexus)
    assert (await client.post("/", **signed(message(1)))).status_code == 204
    assert (await client.get("/")).status_code == 426
    assert nexus.hub.bots["qq:20002"].links


async def test_a_request_in_small_pieces_and_a_pipeline_are_understood(nexus: Nexus) -> None:
    whole = post(message(1)) + post(message(2)) + post(message(3), "Connection: close")
    answer = await raw(nexus, *(whole[i : i + 97] for i in range(0, len(whole), 97)))
    assert answer.count(b"HTTP/1.1 204") == 3
    assert nexus.hub.bots["qq:10001"].received == 3


async def test_an_upgrade_in_small_pieces_is_understood(nexus: Nexus) -> None:
    head = b"GET /onebot/v11/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Self-ID: 3\r\n\r\n"
    answer = await raw(nexus, *(head[i : i + 5] for i in range(0, len(head), 5)))
    assert answer.startswith(b"HTTP/1.1 401")


async def test_a_body_that_is_too_long_is_refused_before_and_while_it_is_read(house: House, nexus: Nexus) -> None:
    client = await house.http(nexus)
    assert (await client.post("/", **signed(b"x" * 70_000))).status_code == 413

    async def chunks() -> object:
        for _ in range(100):
            yield b"x" * 1000

    sent = signed(b"")
    answer = await client.post("/", content=chunks(), headers=sent["headers"])  # type: ignore[arg-type]
    assert answer.status_code == 413


async def test_an_announced_body_is_let_come(nexus: Nexus) -> None:
    request = post(message(1), "Expect: 100-continue", "Connection: close")
    head, _, body = request.partition(b"\r\n\r\n")
    answer = await raw(nexus, head + b"\r\n\r\n", body)
    assert answer.startswith(b"HTTP/1.1 100")
    assert b"HTTP/1.1 204" in answer


async def test_a_body_that_never_ends_is_given_up(nexus: Nexus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_SECONDS", 0.1)
    answer = await raw(nexus, post(message(1))[:-5])
    assert answer.startswith(b"HTTP/1.1 408")
    assert nexus.gateway._desk is not None
    assert nexus.gateway._desk.room == 8 * 65536


@pytest.mark.parametrize("rest", [b"Content-Length: 5\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"])
async def test_who_asks_for_a_head_alone_and_goes_wrong_hears_a_head_alone(
    nexus: Nexus, monkeypatch: pytest.MonkeyPatch, rest: bytes
) -> None:
    monkeypatch.setattr(door, "BODY_SECONDS", 0.1)
    answer = await raw(nexus, b"HEAD /onebot/v11/app/10001/get_status HTTP/1.1\r\nHost: x\r\n" + rest)
    assert answer.startswith(b"HTTP/1.1 40")
    assert answer.endswith(b"\r\n\r\n")
    async with asyncio.timeout(20):
        while nexus.gateway._doors:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST /\xff\xfe HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000,
        b"z" * 20_000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_nonsense_ends_its_connection_and_nothing_else(house: House, nexus: Nexus, garbage: bytes) -> None:
    assert not (await raw(nexus, garbage)).startswith(b"HTTP/1.1 2")
    client = await house.http(nexus)
    assert (await client.post("/", **signed(message(1)))).status_code == 204
    await asyncio.sleep(0)
    assert len(nexus.gateway._doors) <= 1
    assert not nexus.gateway._unfinished


async def test_who_hangs_up_in_the_middle_leaves_nothing_behind(nexus: Nexus) -> None:
    for size in (3, 60, 400):
        _, writer = await asyncio.open_connection("127.0.0.1", nexus.gateway.port)
        writer.write(post(message(1))[:size])
        await writer.drain()
        writer.transport.abort()
    async with asyncio.timeout(5):
        while nexus.gateway._doors:
            await asyncio.sleep(0.01)
    assert not nexus.gateway._unfinished
    assert nexus.gateway._desk is not None
    assert nexus.gateway._desk.room == 8 * 65536
