"""The store for a plugin in a process of its own: kept by the worker, asked for through the protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from botmatrix.errors import EngineUnavailable
from botmatrix.worker.plugins.isolated.remote_sessions import TRIES, Ask
from botmatrix.worker.plugins.turns import Turns

_encode = msgspec.json.Encoder().encode


class RemoteValues:
    """What the plugin keeps for good. Raises `EngineUnavailable`, `ValueError`. `plugin` is known to the worker."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._turns = Turns()

    async def get(self, plugin: str, key: str) -> str | None:
        """The value; None when there is none."""
        return _text(await self._do("get", key=key))

    async def set(self, plugin: str, key: str, value: str) -> None:
        """Put a value in place."""
        await self._do("set", key=key, value=[_raw(value)])

    async def change(self, plugin: str, key: str, change: Callable[[str | None], str]) -> str:
        """Put `change(value)` in the place of the value; called again when another process was quicker."""
        async with self._turns.of(key):
            return await self._changed(key, change)

    async def delete(self, plugin: str, key: str) -> bool:
        """Forget a value; whether there was one."""
        return bool(await self._do("delete", key=key))

    async def keys(self, plugin: str, prefix: str, after: str, limit: int) -> list[str]:
        """Keys that begin with `prefix`, in order, those above `after`."""
        return msgspec.convert(await self._do("keys", prefix=prefix, after=after), list[str])[:limit]

    async def _changed(self, key: str, change: Callable[[str | None], str]) -> str:
        seen = await self._do("get", key=key)
        for _ in range(TRIES):
            value = change(_text(seen))
            newer = await self._do("change", key=key, seen=seen, value=[_raw(value)])
            if newer is None:
                return value
            seen = newer
        raise TimeoutError("the value is being changed by others without a pause")

    async def _do(self, verb: str, **params: Any) -> Any:
        told = await self._ask(f"values.{verb}", params)
        if told["ok"]:
            return told["data"]
        if told.get("engine"):
            raise EngineUnavailable(told["engine"], told["error"])
        raise ValueError(told["error"])


def _text(found: list[Any]) -> str | None:
    return _encode(found[0]).decode() if found else None


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())
