"""One chat: a browser on one side, the gateway on the other, the simulated platform between them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from botmatrix.control.chat.cast import Cast
from botmatrix.control.chat.platform import BadSaying, Saying, SimulatedPlatform

MOST_WAITING: Final = 500
"""What waits for a slow browser; then the chat ends."""
CHECK_EVERY: Final = 5.0
"""Seconds between two looks whether the login holds."""
LOGIN_ENDED: Final = 4001
SUPERSEDED: Final = 4002
GATEWAY_GONE: Final = 4003
TOO_SLOW: Final = 4004

Holds = Callable[[], Awaitable[bool]]
_saying = msgspec.json.Decoder(Saying).decode


class Ended(Exception):
    """The chat is over: the code and words with which the browser's socket is closed."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class Chat:
    """Carries sayings to the gateway, and what the bot is asked to do to the browser."""

    def __init__(self, socket: WebSocket, cast: Cast) -> None:
        self._socket, self._cast = socket, cast
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_WAITING)
        self._platform = SimulatedPlatform(cast, self._tell)

    async def run(self, link: ClientConnection, holds: Holds) -> None:
        """Until one side ends. Raises `Ended`."""
        self._tell({"type": "ready", "bot": self._cast.key, "self_id": self._cast.bot, **_who(self._cast)})
        works = (self._hear(link), self._serve(link), self._show(), _watch(holds))
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self, what: dict[str, Any]) -> None:
        try:
            self._waiting.put_nowait(what)
        except asyncio.QueueFull:
            raise Ended(TOO_SLOW, "the browser is too slow for what the plugins say") from None

    async def _hear(self, link: ClientConnection) -> None:
        """What the people say, until the browser goes away."""
        with contextlib.suppress(WebSocketDisconnect, ConnectionClosed):
            while True:
                text = await self._socket.receive_text()
                try:
                    event = self._platform.say(_saying(text), time.time())
                except (BadSaying, msgspec.DecodeError, UnicodeError, RecursionError) as error:
                    self._tell({"type": "refused", "why": str(error)[:300]})
                else:
                    await link.send(json.dumps(event))

    async def _serve(self, link: ClientConnection) -> None:
        """What the bot is asked to do."""
        with contextlib.suppress(ConnectionClosed):
            async for frame in link:
                request = msgspec.json.decode(frame)
                if isinstance(request, dict) and "action" in request:
                    await link.send(json.dumps(self._platform.perform(request, time.time())))
        raise Ended(GATEWAY_GONE, f"the gateway closed the link: {link.close_reason or link.close_code}")

    async def _show(self) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                what = await self._waiting.get()
                await self._socket.send_text(json.dumps(what, ensure_ascii=False))


def _who(cast: Cast) -> dict[str, Any]:
    people = [{"id": number, "name": name} for number, name in cast.people.items()]
    return {"people": people, "groups": [{"id": number, "name": name} for number, name in cast.groups.items()]}


async def _watch(holds: Holds) -> None:
    while True:
        if not await holds():
            raise Ended(LOGIN_ENDED, "the login ended, or its role has changed")
        await asyncio.sleep(CHECK_EVERY)
