"""The newest lines of all parts' logs in one bounded stream, so that they can be read together, whatever the host."""

from __future__ import annotations

import socket
import threading
from collections import deque
from typing import Any, Final

import msgspec
import redis

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.log import Line

KEPT: Final = 5000
"""Lines in the stream."""
LONGEST: Final = 2000
"""Characters of a line."""
WAITING: Final = 2000
"""Lines of one process that may wait to be sent."""
EVERY: Final = 0.5
BATCH: Final = 500
LEVELS: Final = ("debug", "info", "warning", "error", "critical")


class Kept(msgspec.Struct, frozen=True):
    """One line as it stands there. `id`: of its entry, the later the higher; `t`: unix seconds."""

    t: float
    part: str
    host: str
    level: str
    text: str
    id: str = ""


class LogShipper:
    """Sends this process's lines from a thread of its own: `put` costs an append, whatever Redis does.

    Of a flood, or while Redis is away, the newest 2,000 wait; how many were left out is a line too.
    """

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
        self._key, self._host = keys.logs, socket.gethostname()
        self._waiting: deque[Line] = deque()
        self._crowded_out = self._lost = self._told = 0  # each is written by one thread only
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def put(self, line: Line) -> None:
        """Send it soon. Any thread may call."""
        self._waiting.append(line)
        while len(self._waiting) > WAITING:
            self._waiting.popleft()
            self._crowded_out += 1

    @property
    def left_out(self) -> int:
        """Lines that were not sent and of which nobody was told yet."""
        return self._crowded_out + self._lost - self._told

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, if Redis takes it, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._redis.close()

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            self._send()
        while self._waiting and self._send():
            pass

    def _send(self) -> bool:
        """Send some of what waits; False when Redis did not take it."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
        if not batch:
            return True
        lines, left_out = len(batch), self.left_out
        if left_out:
            note = f"{left_out} lines of this part were left out here; its own log has them"
            batch.append(Line(batch[-1].at, batch[-1].part, "warning", note))
        try:
            pipe = self._redis.pipeline(transaction=False)
            for line in batch:
                kept = Kept(line.at, line.part, self._host, line.level, line.text[:LONGEST])
                pipe.xadd(self._key, {"line": _encoded(kept)}, maxlen=KEPT, approximate=True)
            pipe.execute()
        except redis.RedisError:  # not logged: that would be a line too
            self._lost += lines
            return False
        self._told += left_out
        return True


class Logs:
    """Reads over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._key = client, keys.logs

    async def newest(self, count: int = KEPT) -> list[Kept]:
        """The newest lines, oldest first."""
        return _lines(reversed(await self._client.call("XREVRANGE", self._key, "+", "-", "COUNT", count)))

    async def after(self, entry_id: str, count: int = KEPT) -> list[Kept]:
        """The lines after the one with this id, oldest first."""
        return _lines(await self._client.call("XRANGE", self._key, f"({entry_id}", "+", "COUNT", count))


def _encoded(kept: Kept) -> bytes:
    try:
        return msgspec.json.encode(kept)
    except UnicodeEncodeError:  # half a character, out of somebody's frame
        return msgspec.json.encode(msgspec.structs.replace(kept, text=kept.text.encode(errors="replace").decode()))


def _lines(entries: Any) -> list[Kept]:
    found = []
    for entry_id, fields in entries:
        try:
            kept = msgspec.json.decode(fields[1], type=Kept)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        found.append(msgspec.structs.replace(kept, id=entry_id.decode()))
    return found
