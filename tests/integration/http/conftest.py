"""A whole nexus on a real Valkey, and a bot whose only interface is HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from tests.integration.nexus.scene import Scene

from botmatrix.config import load
from botmatrix.nexus.app import Nexus


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of production."""
    return {"uvloop": uvloop.new_event_loop}


SECRET, API_TOKEN, WORKER_TOKEN = "signing-secret", "api-token", "workers-token"

Answering = Callable[[str, dict[str, Any]], Awaitable[tuple[int, Any]]]


async def well(action: str, params: dict[str, Any]) -> tuple[int, Any]:
    """How a bot answers that does whatever it is asked for."""
    data = {"online": True, "good": True} if action == "get_status" else {"message_id": 9, "asked": params}
    return 200, {"status": "ok", "retcode": 0, "data": data}


class HttpImplementation:
    """The bot's side: its HTTP API, and the events that it posts. `asked`: actions that came, greetings left out."""

    def __init__(self, self_id: int = 10001) -> None:
        self.self_id = self_id
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refused = 0
        self.answering: Answering = well
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    def entry(self, **more: Any) -> dict[str, Any]:
        """Its entry in the setting `bots`."""
        address = f"http://127.0.0.1:{self.port}"
        return {"http": address, "self_id": str(self.self_id), "token": API_TOKEN, "secret": SECRET, **more}

    async def action(self, number: int = 1) -> tuple[str, dict[str, Any]]:
        """The so-manieth action that came."""
        async with asyncio.timeout(10):
            while len(self.asked) < number:
                self._arrived.clear()
                await self._arrived.wait()
        return self.asked[number - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                size = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
                body = await reader.readexactly(size)
                action = head.split()[1].removeprefix("/")
                status, answer = await self._answer(head, action, json.loads(body or b"{}"))
                answer = answer.encode() if isinstance(answer, str) else answer
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(text), text))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, head: str, action: str, params: dict[str, Any]) -> tuple[int, Any]:
        if f"authorization: bearer {API_TOKEN}" not in head:
            self.refused += 1
            return 401, ""
        if action not in ("get_status", "get_login_info", "get_group_list"):
            self.asked.append((action, params))
            self._arrived.set()
        return await self.answering(action, params)


class House(Scene):
    """A scene with bots of HTTP."""

    async def serve(self, *entries: dict[str, Any], name: str = "n1", **flags: Any) -> Nexus:
        """A running nexus with these entries in `bots`."""
        fixed = {"redis_url": self.url, "nexus_id": name, "ws_port": 0, "bot_token": "secret"}
        given = fixed | {"worker_token": WORKER_TOKEN, "bots": list(entries)} | flags
        nexus = Nexus(load(self.home, given, {}))
        await nexus.start()
        self.stack.push_async_callback(nexus.stop)
        return nexus

    async def implementation(self, self_id: int = 10001) -> HttpImplementation:
        """A bot that listens."""
        bot = HttpImplementation(self_id)
        await bot.start()
        self.stack.push_async_callback(bot.stop)
        return bot

    async def http(self, nexus: Nexus) -> httpx.AsyncClient:
        """A client of the gateway's port."""
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{nexus.gateway.port}", trust_env=False, timeout=10)
        return await self.stack.enter_async_context(client)


@pytest.fixture
async def house(redis_url: str, home: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        house = House(redis_url, home, stack)
        stack.push_async_callback(house.client.close)
        stack.push_async_callback(house.lanes.close)
        yield house


def message(number: int, *, group: int | None = 456, **more: Any) -> dict[str, Any]:
    """A message event."""
    where = {"message_type": "group", "group_id": group} if group else {"message_type": "private"}
    return {
        **{"post_type": "message", "sub_type": "normal", "self_id": 10001, "time": 1_700_000_000, "user_id": 7},
        **{"message_id": number, "message": "hi", "raw_message": "hi", **where, **more},
    }


def signed(event: Any, secret: str = SECRET, self_id: int = 10001) -> dict[str, Any]:
    """Body and headers of a posted event, as arguments of the client."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    headers = {"X-Self-ID": str(self_id), "X-Signature": f"sha1={signature}", "Content-Type": "application/json"}
    return {"content": body, "headers": headers}


async def online(nexus: Nexus, key: str = "qq:10001") -> None:
    """Wait until the bot is here and claimed."""
    async with asyncio.timeout(10):
        while key not in nexus.hub.bots or not nexus.hub.bots[key].epoch:
            await asyncio.sleep(0.005)
