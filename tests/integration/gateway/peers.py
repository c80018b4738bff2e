"""Peers for the gateway's tests: one that speaks raw WebSocket, and an observer that remembers."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.accepting import Accepting, TokensOf

from botmatrix.clock import SystemClock
from botmatrix.nexus.gateway import Gateway
from botmatrix.nexus.handshake import Refuse
from botmatrix.nexus.http.asked import Asked, OnReply
from botmatrix.nexus.hub import Bot, Hub
from botmatrix.nexus.timing import Timing
from botmatrix.onebot.event import Event

TOKEN = "right-token"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PATIENCE = 8.0


class Recorder:
    """A hub observer that remembers what it was told, and can wait for more."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.happenings: list[tuple[str, str]] = []
        self.react: Callable[[Bot, Event], None] = lambda bot, event: None
        self.react_meta: Callable[[Bot, Event], None] = lambda bot, event: None
        self._changed = asyncio.Event()

    def on_event(self, bot: Bot, event: Event) -> None:
        self.events.append((bot.key, event))
        self.react(bot, event)
        self._changed.set()

    def on_meta(self, bot: Bot, event: Event) -> None:
        self.react_meta(bot, event)

    def on_online(self, bot: Bot, link_id: str) -> None:
        self._note("online", bot)

    def on_offline(self, bot: Bot) -> None:
        self._note("offline", bot)

    def on_change(self, bot: Bot) -> None:
        self._note(str(bot.state), bot)

    def _note(self, what: str, bot: Bot) -> None:
        self.happenings.append((what, bot.key))
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after each happening, and now and then."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.05)
                except TimeoutError:
                    continue


class NoDesk:
    """Answers no HTTP; but each connection crosses the same threshold as in a whole nexus."""

    max_body = room = 1 << 20

    def judge(self, asked: Asked) -> Refuse | None:
        return Refuse(404, "no HTTP is served here", "none")

    def serve(self, asked: Asked, body: bytes, reply: OnReply) -> None:
        raise AssertionError("everything is refused")


class Stage:
    """A gateway on a free port with its hub and observer."""

    def __init__(self, timing: Timing, tokens: TokensOf, max_frame: int) -> None:
        self._peers: list[RawBot] = []
        self.seen = Recorder()
        self.hub = Hub(self.seen, SystemClock(), timing)
        self.gateway = Gateway(
            self.hub, host="127.0.0.1", port=0, tokens=Accepting(tokens), max_frame=max_frame, desk=NoDesk()
        )

    async def close(self) -> None:
        """Stop the gateway and hang up every peer."""
        await self.gateway.stop(grace=0.05)
        for peer in self._peers:
            await peer.dispose()

    async def dial(
        self, self_id: str = "10001", *, path: str = "/onebot/v11/ws", token: str = TOKEN, **headers: str
    ) -> RawBot:
        """A bot that is connected."""
        bot, status, body = await self.knock(self_id, path=path, token=token, **headers)
        assert status == 101, (status, body)
        return bot

    async def connect(self) -> RawBot:
        """A peer that has not said anything yet."""
        bot = RawBot(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        self._peers.append(bot)
        return bot

    async def knock(
        self, self_id: str = "", *, path: str = "/onebot/v11/ws", token: str = TOKEN, **headers: str
    ) -> tuple[RawBot, int, str]:
        """Send an upgrade request: the peer, the status of the answer, and its body."""
        bot = await self.connect()
        sent = {"X-Self-ID": self_id, "Authorization": f"Bearer {token}" if token else ""}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        status, body = await bot.upgrade(path, {name: value for name, value in sent.items() if value})
        return bot, status, body


class Frame(NamedTuple):
    opcode: int
    payload: bytes


class RawBot:
    """A WebSocket client that can send whatever it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def upgrade(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1"]
        given = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade"}
        given |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key} | headers
        lines += [f"{name}: {value}" for name, value in given.items() if value != "-"]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split()[1])
        body = "" if status == 101 else (await self.reader.read()).decode()
        return status, head + body

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> None:
        """Write one frame."""
        mask = os.urandom(4) if masked else b""
        size = len(payload)
        first = (0x80 if fin else 0) | rsv << 4 | opcode
        bit = 0x80 if masked else 0
        if size < 126:
            head = bytes((first, bit | size))
        elif size < 65536:
            head = bytes((first, bit | 126)) + struct.pack("!H", size)
        else:
            head = bytes((first, bit | 127)) + struct.pack("!Q", size)
        body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload
        self.writer.write(head + mask + body)

    def say(self, value: object) -> None:
        """Send a JSON text message."""
        self.frame(TEXT, json.dumps(value).encode())

    def message(self, text: str = "hello", self_id: object = 10001, **fields: object) -> None:
        """Send a private message event."""
        self.say(
            {
                "post_type": "message",
                "message_type": "private",
                "self_id": self_id,
                "user_id": 7,
                "message": text,
                **fields,
            }
        )

    async def receive(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return Frame(first & 0x0F, await self.reader.readexactly(size))

    async def action(self) -> dict[str, Any]:
        """The next action, pings answered meanwhile."""
        while True:
            frame = await self.receive()
            if frame.opcode == TEXT:
                value: dict[str, Any] = json.loads(frame.payload)
                return value
            if frame.opcode == PING:
                self.frame(PONG, frame.payload)

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the Close frame that must come; everything before it is passed over."""
        while True:
            frame = await self.receive()
            if frame.opcode == CLOSE:
                return int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode()

    async def answer_pings(self) -> None:
        """Stay alive until cancelled or closed."""
        try:
            while (frame := await self.receive_any()).opcode != CLOSE:
                if frame.opcode == PING:
                    self.frame(PONG, frame.payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def receive_any(self) -> Frame:
        """The next frame, however long it takes."""
        while True:
            try:
                return await self.receive()
            except TimeoutError:
                continue

    async def ended(self) -> None:
        """Wait for the end of the TCP connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                await self.reader.read()
            except ConnectionError:
                return

    async def dispose(self) -> None:
        """Free the socket."""
        self.hang_up()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return

    def hang_up(self) -> None:
        """End the TCP connection without a Close."""
        self.writer.transport.abort()
