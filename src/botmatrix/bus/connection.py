"""One pipelined connection to Redis, packed and parsed by hiredis.

The message path makes its round trips here: a call is one `write` and one future, many calls may be under way
at once and are answered in order (measured against redis-py's pipeline: see docs/benchmarks.md). A connection never
reconnects: when it ends, every call under way fails with `ConnectionLost` and its outcome is unknown.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import parse_url

from botmatrix.errors import EngineUnavailable

ReplyError = hiredis.ReplyError
"""Redis answered with an error; its text begins with a code (`OOM`, `NOGROUP`, `WRONGTYPE`...)."""

_PASSING = ("LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS")
_REFUSING = ("OOM", "MISCONF")
Argument = bytes | str | int
_pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


class ConnectionLost(EngineUnavailable):
    """The link to Redis ended, or an answer did not come in time: what was under way may have happened."""

    def __init__(self, reason: str, cure: str = "") -> None:
        super().__init__("Redis", reason, cure)


class WritesRefused(EngineUnavailable):
    """Redis answers and takes no writes: its memory or its disk is full. Nothing has happened."""

    def __init__(self, reason: str) -> None:
        super().__init__("Redis", reason, "It takes no writes: give it memory or disk")


class Connection(asyncio.Protocol):
    """A link to one Redis. Make it with `open_connection`."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.closed = False
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._check: asyncio.TimerHandle | None = None
        self._on_push: Callable[[list[Any]], None] | None = None

    def call(self, *args: Argument) -> asyncio.Future[Any]:
        """Send one command now; the future has its answer, or `ReplyError`, or `ConnectionLost`."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._transport is None or self.closed:
            future.set_exception(ConnectionLost("not connected"))
            return future
        self._waiting.append((future, self._loop.time()))
        self._transport.write(_pack(args))
        return future

    def listen(self, on_push: Callable[[list[Any]], None]) -> None:
        """Hand everything that is no answer to a call (Pub/Sub messages) to `on_push`."""
        self._on_push = on_push

    def send(self, *args: Argument) -> None:
        """Send a command whose answer comes as a push (SUBSCRIBE)."""
        if self._transport is not None and not self.closed:
            self._transport.write(_pack(args))

    async def close(self) -> None:
        """End the link; calls under way fail."""
        self._end("closed")
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next turn

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its base class
        self._check = self._loop.call_later(self.timeout / 2, self._check_age)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                self._answer(reply)
        except hiredis.ProtocolError as error:
            self._end(f"not Redis at the other end: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        self._end(str(error) if error else "closed by Redis")

    def _answer(self, reply: Any) -> None:
        if self._on_push is not None and isinstance(reply, list):
            self._on_push(reply)
            return
        if not self._waiting:
            return
        future, _ = self._waiting.popleft()
        if future.done():
            return
        if isinstance(reply, ReplyError):
            future.set_exception(_error(reply))
        else:
            future.set_result(reply)

    def _check_age(self) -> None:
        if self.closed:
            return
        if self._waiting and self._loop.time() - self._waiting[0][1] > self.timeout:
            self._end(f"no answer within {self.timeout:g} s")
            return
        self._check = self._loop.call_later(self.timeout / 2, self._check_age)

    def _end(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        if self._check is not None:
            self._check.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(ConnectionLost(reason))
        if self._on_push is not None:
            self._on_push([])


def _error(reply: ReplyError) -> Exception:
    """What an error answer means for the caller: wait and try again, or a mistake of its own."""
    text = str(reply)
    if text.startswith(_PASSING):
        return ConnectionLost(text)
    if text.startswith(_REFUSING):
        return WritesRefused(text)
    return reply


async def open_connection(url: str, *, name: str, timeout: float = 5.0) -> Connection:
    """Connect, authenticate, choose the database, say who we are.

    `url` is `redis://`, `rediss://` or `unix://`. Raises `EngineUnavailable` (never with the password in it).
    """
    options: dict[str, Any] = dict(parse_url(url))
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            if "path" in options:
                _, connection = await loop.create_unix_connection(lambda: Connection(timeout), options["path"])
            else:
                host, port = options.get("host", "localhost"), options.get("port", 6379)
                tls = True if url.startswith("rediss:") else None
                _, connection = await loop.create_connection(lambda: Connection(timeout), host, port, ssl=tls)
            await _greet(connection, options, name)
    except (OSError, TimeoutError) as error:
        raise ConnectionLost(_words(error), "Check redis_url, or run `botmatrix doctor`") from error
    except ReplyError as error:
        raise EngineUnavailable("Redis", str(error), "Check redis_url: user, password and database") from error
    return connection


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "its host has no address"
    if error.errno:
        return os.strerror(error.errno)
    return str(error) or "no answer to the connection attempt"


async def _greet(connection: Connection, options: dict[str, Any], name: str) -> None:
    steps = []
    if password := options.get("password"):
        user = options.get("username")
        steps.append(connection.call("AUTH", *([user] if user else []), password))
    if database := options.get("db"):
        steps.append(connection.call("SELECT", int(database)))
    steps.append(connection.call("CLIENT", "SETNAME", name))
    steps.append(connection.call("PING"))
    try:
        for step in steps:
            await step
    except BaseException:
        for step in steps:
            step.cancel()
        await connection.close()
        raise
