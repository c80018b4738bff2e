"""`Store`: what a plugin keeps for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

LONGEST_KEY: Final = 200
LARGEST: Final = 256 * 1024
"""Bytes of a value's JSON."""
MOST_KEYS: Final = 1000

_encode = msgspec.json.Encoder().encode


class Values(Protocol):
    """Where values are kept, as texts (JSON). Methods raise `EngineUnavailable`."""

    async def get(self, plugin: str, key: str) -> str | None:
        """The value; None when there is none."""
        ...

    async def set(self, plugin: str, key: str, value: str) -> None:
        """Put a value in place."""
        ...

    async def change(self, plugin: str, key: str, change: Callable[[str | None], str]) -> str:
        """Put `change(value)` in the place of the value, or of None, in one step."""
        ...

    async def delete(self, plugin: str, key: str) -> bool:
        """Forget a value; whether there was one."""
        ...

    async def keys(self, plugin: str, prefix: str, after: str, limit: int) -> list[str]:
        """Keys that begin with `prefix`, in order, those above `after`."""
        ...


class Store:
    """A plugin's own values by key, in PostgreSQL; other plugins don't see them.

    Values are what JSON can say, at most 256 KiB each; keys have 1 to 200 characters. What is written is written at
    once: a handler that runs again writes again. Methods raise `ValueError` for what is no key or too large, and
    `EngineUnavailable` while PostgreSQL is away; a handler that lets that through runs again later.
    """

    __slots__ = ("_plugin", "_values")

    def __init__(self, values: Callable[[], Values], plugin: str) -> None:
        self._values, self._plugin = values, plugin

    async def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        found = await self._values().get(self._plugin, _key(key))
        return default if found is None else msgspec.json.decode(found)

    async def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        await self._values().set(self._plugin, _key(key), _text(value))

    async def update(self, key: str, change: Callable[[Any], Any], *, default: Any = None) -> Any:
        """Put `change(value)` in the place of the value, or of `default`, in one step; gives the new value.

        Others who change it wait meanwhile, so `change` should be quick. When it raises, nothing is changed.
        """

        def changed(found: str | None) -> str:
            return _text(change(default if found is None else msgspec.json.decode(found)))

        return msgspec.json.decode(await self._values().change(self._plugin, _key(key), changed))

    async def delete(self, key: str) -> bool:
        """Forget a value; whether there was one."""
        return await self._values().delete(self._plugin, _key(key))

    async def keys(self, prefix: str = "", *, after: str = "") -> list[str]:
        """Keys that begin so, in order, at most 1000; `after`: the last one of the page before."""
        return await self._values().keys(self._plugin, _plain(prefix), _plain(after), MOST_KEYS)


def _plain(text: str) -> str:
    if len(text) > LONGEST_KEY or "\x00" in text:
        raise ValueError(f"a key has 1 to {LONGEST_KEY} characters, none of them NUL")
    return text


def _key(key: str) -> str:
    if not key:
        raise ValueError("a key can't be empty")
    return _plain(key)


def _text(value: Any) -> str:
    encoded = _encode(value)
    if len(encoded) > LARGEST:
        raise ValueError(f"a value has at most {LARGEST // 1024} KiB as JSON, this one has {len(encoded) // 1024}")
    return encoded.decode()
