"""The key-value store of each isolated plugin: one Redis hash a plugin, bounded, which no other plugin can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.clock import Clock

MOST_KEYS = 4096
LONGEST_KEY = 200
LARGEST_VALUE = 16 * 1024
"""Bytes of a value's JSON."""


class Full(Exception):
    """It does not fit; says why."""


class Entry(msgspec.Struct, array_like=True):
    """A value, and until when it holds (unix seconds; 0: for ever)."""

    value: msgspec.Raw
    until: float = 0


class Storage:
    """Values are JSON. Raises `EngineUnavailable` when Redis is away."""

    def __init__(self, url: str, keys: Keys, clock: Clock, *, name: str) -> None:
        self._client = Client(url, name=name)
        self._keys, self._clock = keys, clock

    async def get(self, plugin: str, key: str) -> Any:
        """The value; None when there is none."""
        found = await self._client.call("HGET", self._keys.plugin_store(plugin), key)
        entry = msgspec.json.decode(found, type=Entry) if found else None
        return msgspec.json.decode(entry.value) if entry and self._holds(entry) else None

    async def set(self, plugin: str, key: str, value: Any, seconds: float) -> None:
        """Keep it, for so many seconds or for ever (0). Raises `Full`."""
        encoded = msgspec.json.encode(value)
        if not key or len(key) > LONGEST_KEY:
            raise Full(f"a key has 1 to {LONGEST_KEY} characters")
        if len(encoded) > LARGEST_VALUE:
            raise Full(f"a value has at most {LARGEST_VALUE // 1024} KiB")
        until = self._clock.now() + seconds if seconds > 0 else 0
        name = self._keys.plugin_store(plugin)
        if not await self._client.call("HEXISTS", name, key) and await self._client.call("HLEN", name) >= MOST_KEYS:
            await self._sweep(name)
        await self._client.call("HSET", name, key, msgspec.json.encode(Entry(msgspec.Raw(encoded), until)))

    async def delete(self, plugin: str, key: str) -> bool:
        """Whether it was there."""
        return bool(await self._client.call("HDEL", self._keys.plugin_store(plugin), key))

    async def do(self, verb: str, plugin: str, params: Mapping[str, Any]) -> Any:
        """What the protocol's `storage.{verb}` asks for. Raises `Full`, `ValueError` for what can't be read."""
        key, seconds = params.get("key"), params.get("expire") or 0
        if not isinstance(key, str) or not isinstance(seconds, int | float):
            raise ValueError("storage needs key, a text, and may have expire, seconds")
        if verb == "get":
            return await self.get(plugin, key)
        if verb == "exists":
            return await self.get(plugin, key) is not None
        if verb == "delete":
            return await self.delete(plugin, key)
        if verb != "set":
            raise ValueError(f"there is no storage.{verb[:20]}")
        await self.set(plugin, key, params.get("value"), seconds)
        return True

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def _sweep(self, name: str) -> None:
        """Room by what holds no more. Raises `Full` when there is none."""
        flat = await self._client.call("HGETALL", name)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        old = [key for key, found in pairs if not self._holds(msgspec.json.decode(found, type=Entry))]
        if not old:
            raise Full(f"a plugin has at most {MOST_KEYS} keys")
        await self._client.call("HDEL", name, *old)

    def _holds(self, entry: Entry) -> bool:
        return not entry.until or entry.until > self._clock.now()
