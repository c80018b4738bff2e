"""Each cause of a refusal has its own words, wherever people look: REST and the doctor read what is kept here."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from tests.integration.http.conftest import WORKER_TOKEN, House, message, signed

from botmatrix.bus.handshakes import Handshake, HandshakeBox
from botmatrix.bus.keys import Keys

KEYS = Keys()
GOOD = {
    **{"Host": "hub", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
    **{"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "X-Self-ID": "10001", "Authorization": "Bearer secret"},
}
APP = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-Self-ID": ""}
PLAIN = {"Upgrade": "", "Connection": "", "Sec-WebSocket-Version": "", "Sec-WebSocket-Key": ""}

CAUSES: list[tuple[str, dict[str, str], int, str, str]] = [
    # what is asked for, how its headers differ, status, words of the reason, words of the cure
    ("GET /onebot/v11/ws", {"Authorization": ""}, 401, "no token", "access token"),
    ("GET /onebot/v11/ws", {"Authorization": "Bearer wrong"}, 403, "token is wrong", "botmatrix up"),
    ("GET /onebot/v11/ws", {"X-Self-ID": "x" * 200}, 400, "X-Self-ID is no id", "account's number"),
    ("GET /onebot/v11/ws", {"X-Platform": "no platform!"}, 400, "X-Platform", "letters"),
    ("GET /bots", {}, 404, "nothing at this path", "/onebot/v11/ws"),
    ("GET /onebot/v12/ws", {}, 404, "OneBot 12", "OneBot v11"),
    ("GET /ws/subscriber", {}, 404, "subscribers", "/api/live"),
    ("GET /onebot/v11/ws", PLAIN, 426, "WebSocket only", "ws://"),
    ("POST /onebot/v11/ws", PLAIN, 426, "not HTTP", "reverse WebSocket"),
    ("POST /somewhere", PLAIN, 404, "nothing at this path", "/onebot/v11/http"),
    ("POST /onebot/v11/http", PLAIN | {"X-Self-ID": ""}, 400, "no X-Self-ID", "header"),
    ("POST /onebot/v11/http", PLAIN, 401, "not signed", "secret"),
    ("GET /onebot/v11/ws", {"Sec-WebSocket-Version": "6"}, 426, "version 6", "RFC 6455"),
    ("GET /onebot/v11/ws", {"Sec-WebSocket-Version": ""}, 426, "(none)", "RFC 6455"),
    ("GET /onebot/v11/ws", {"Sec-WebSocket-Protocol": "12.impl"}, 400, "OneBot 12", "OneBot v11"),
    ("GET /onebot/v11/ws", {"Sec-WebSocket-Key": ""}, 400, "Sec-WebSocket-Key", "proxy"),
    ("GET /onebot/v11/ws", {"Origin": "https://evil.example"}, 403, "another host", "bot client"),
    ("GET /onebot/v11/app/10001", APP | {"Authorization": ""}, 401, "no token", "workers' token"),
    ("GET /onebot/v11/app/10001", {}, 403, "or it is a bot's", "worker_token"),
    ("GET /onebot/v11/app", APP, 409, "no bot has connected", "SELF_ID"),
    ("GET /onebot/v11/app/10001/a/b", APP, 404, "nothing at this path", "SELF_ID"),
    ("GET /onebot/v11/app/10001/send_msg", APP, 404, "no WebSocket", "SELF_ID"),
    ("GET /onebot/v11/app/10001", APP | PLAIN, 426, "WebSocket only", "ws://"),
    ("GET /onebot/v11/app/10001?name=a+b", APP, 400, "no worker's id", "letters"),
    ("POST /onebot/v11/app/10001/send_msg", APP | PLAIN | {"Authorization": "Bearer no"}, 403, "token", "worker_token"),
    ("GET /ws/workers", {"Authorization": ""}, 401, "no token", "workers' token"),
]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: f"{cause[0]} {cause[2]}")
async def test_each_cause_has_its_words(house: House, cause: tuple[str, dict[str, str], int, str, str]) -> None:
    asked, differences, status, reason, cure = cause
    nexus = await house.serve()
    headers = {name: value for name, value in (GOOD | differences).items() if value}
    lines = [f"{asked} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "Content-Length: 0"]
    reader, writer = await asyncio.open_connection("127.0.0.1", nexus.gateway.port)
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    kept = await shown(house)
    assert (kept.status, kept.reason in answer, kept.cure in answer) == (status, True, True)
    assert reason in kept.reason
    assert cure in kept.cure
    assert "secret" not in kept.target + kept.reason


async def test_a_client_that_speaks_tls_to_the_plain_port_is_named(house: House) -> None:
    nexus = await house.serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", nexus.gateway.port)
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    kept = await shown(house)
    assert "TLS" in kept.reason
    assert "ws://" in kept.cure
    assert reader.at_eof() or reader.exception() is not None
    writer.transport.abort()


async def test_a_bot_that_never_says_who_it_is_is_shown(house: House) -> None:
    nexus = await house.serve()
    object.__setattr__(nexus.hub.timing, "unnamed", 0.2)
    object.__setattr__(nexus.hub.timing, "greeting", 60.0)
    headers = {name: value for name, value in GOOD.items() if name != "X-Self-ID"}
    reader, writer = await asyncio.open_connection("127.0.0.1", nexus.gateway.port)
    lines = ["GET /onebot/v11/ws HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    await reader.readuntil(b"\r\n\r\n")
    kept = await shown(house)
    writer.close()
    assert (kept.status, "no X-Self-ID" in kept.reason, "X-Self-ID" in kept.cure) == (4008, True, True)


async def test_a_second_client_of_the_same_bot_is_shown(house: House) -> None:
    nexus = await house.serve()
    first = await house.bot(nexus)
    second = await house.bot(nexus)
    kept = await shown(house)
    assert (kept.status, kept.self_id, "is alive" in kept.reason) == (4009, "10001", True)
    assert "stop one" in kept.cure
    await first.close()
    await second.close()


async def test_a_wrong_signature_is_shown(house: House) -> None:
    bot = await house.implementation()
    nexus = await house.serve(bot.entry())
    sent: dict[str, Any] = signed(message(1), secret="another")
    await (await house.http(nexus)).post("/", **sent)
    kept = await shown(house)
    assert (kept.status, "signature is wrong" in kept.reason, "secret" in kept.cure) == (403, True, True)


async def shown(house: House) -> Handshake:
    """The newest refusal, as REST and the doctor read it."""
    box = HandshakeBox(house.client, KEYS)
    async with asyncio.timeout(10):
        while not (found := await box.recent(time.time())):
            await asyncio.sleep(0.05)
    return found[0]
