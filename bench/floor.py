"""The bare floor: the least that any design with durable streams must do, in two processes.

`front`: WebSocket in (picows), decode (msgspec), XADD in packed batches (hiredis); reads actions, sends them.
`worker`: XREADGROUP COUNT 64, decode, XACK + XADD of the action, in one batch.
No routing, no duplicates, no fences, no settings: what BotMatrix costs above this is the price of
its promises.

    python -m bench.floor front --redis URL --port 0      (prints the port)
    python -m bench.floor worker --redis URL
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections import deque
from typing import Any, cast
from urllib.parse import urlsplit

import hiredis
import msgspec
import picows
import uvloop

EVENTS, ACTIONS, GROUP = "floor:events", "floor:actions", "workers"
KEEP = ("MAXLEN", "~", "100000")


class Sender(msgspec.Struct, gc=False):
    user_id: int
    nickname: str


class Event(msgspec.Struct, gc=False):
    """A group message, typed as far as an echo needs it. `echo` makes it the answer to an action."""

    post_type: str = ""
    message_type: str = ""
    self_id: int = 0
    user_id: int = 0
    group_id: int = 0
    message_id: int = 0
    raw_message: str = ""
    sender: Sender | None = None
    echo: msgspec.Raw = msgspec.Raw(b"")


class Params(msgspec.Struct, gc=False):
    group_id: int
    message: str


class Action(msgspec.Struct, gc=False):
    action: str
    params: Params
    echo: str


class Redis(asyncio.Protocol):
    """One pipelined connection. Commands of one turn of the loop leave together."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiters: deque[asyncio.Future[Any] | None] = deque()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, url: str) -> Redis:
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, self = await loop.create_connection(cls, parts.hostname or "127.0.0.1", parts.port or 6379)
        if parts.password:
            await self.call("AUTH", parts.password)
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            waiter = self._waiters.popleft()
            if waiter is not None and not waiter.done():
                waiter.set_result(reply)
            elif isinstance(reply, hiredis.ReplyError):
                raise reply

    def connection_lost(self, exc: Exception | None) -> None:
        for waiter in self._waiters:
            if waiter is not None and not waiter.done():
                waiter.set_exception(ConnectionError("redis went away"))

    def send(self, *args: str | bytes | int, waiter: asyncio.Future[Any] | None = None) -> None:
        """Queue a command; its reply goes to `waiter`, or is only checked for an error."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(hiredis.pack_command(cast(Any, args)))
        self._waiters.append(waiter)

    async def call(self, *args: str | bytes | int) -> Any:
        waiter = asyncio.get_running_loop().create_future()
        self.send(*args, waiter=waiter)
        return await waiter

    def _flush(self) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(self._out))
        self._out.clear()


class Link(picows.WSListener):
    """A bot's WebSocket."""

    decode = msgspec.json.Decoder(Event).decode

    def __init__(self, redis: Redis, links: dict[int, picows.WSTransport]) -> None:
        self._redis, self._links = redis, links

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        event = self.decode(payload)
        if event.post_type == "message":
            self._redis.send("XADD", EVENTS, *KEEP, "*", "payload", payload)
        elif event.post_type == "meta_event":
            self._links[event.self_id] = transport


async def front(url: str, port: int) -> None:
    """Serve bots until cancelled; prints the port."""
    redis, reader = await Redis.connect(url), await Redis.connect(url)
    links: dict[int, picows.WSTransport] = {}
    server = await picows.ws_create_server(lambda _: Link(redis, links), "127.0.0.1", port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    last: bytes | str = "$"
    while True:
        reply = await reader.call("XREAD", "COUNT", 64, "BLOCK", 1000, "STREAMS", ACTIONS, last)
        for _, entries in reply or ():
            for entry_id, fields in entries:
                last = entry_id
                transport = links.get(int(fields[1]))
                if transport is not None:
                    transport.send(picows.WSMsgType.TEXT, fields[3])


async def worker(url: str) -> None:
    """Echo until cancelled."""
    redis = await Redis.connect(url)
    reply = await redis.call("XGROUP", "CREATE", EVENTS, GROUP, "0", "MKSTREAM")
    if isinstance(reply, hiredis.ReplyError) and "BUSYGROUP" not in str(reply):
        raise reply
    decode, encode = msgspec.json.Decoder(Event).decode, msgspec.json.Encoder().encode
    while True:
        reply = await redis.call(
            *("XREADGROUP", "GROUP", GROUP, "one", "COUNT", 64, "BLOCK", 1000, "STREAMS", EVENTS, ">")
        )
        for _, entries in reply or ():
            for entry_id, fields in entries:
                event = decode(fields[1])
                text = event.raw_message.removeprefix("/echo ")
                action = Action("send_group_msg", Params(event.group_id, text), entry_id.decode())
                redis.send("XACK", EVENTS, GROUP, entry_id)
                redis.send("XADD", ACTIONS, *KEEP, "*", "bot", event.self_id, "action", encode(action))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.floor")
    parser.add_argument("part", choices=["front", "worker"])
    parser.add_argument("--redis", required=True)
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(front(args.redis, args.port) if args.part == "front" else worker(args.redis))


if __name__ == "__main__":
    main()
