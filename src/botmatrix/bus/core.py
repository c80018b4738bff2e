"""The judge's configuration and figures in Redis: what every nexus reads and control keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from botmatrix.bus.client import Client
from botmatrix.bus.connection import Argument
from botmatrix.bus.documents import DocumentBox, Place
from botmatrix.bus.figures import whole
from botmatrix.bus.keys import Keys

MOST_BLOCKED = 100
KEEP_FIGURES = 3 * 86_400
"""Seconds that the figures of a day are kept."""


class Top(NamedTuple):
    """An id and how many messages it sent (or for a reason: how many were blocked)."""

    name: str
    messages: int


class CoreBox(DocumentBox):
    """Reads and writes over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        super().__init__(client, Place(keys.core_version, keys.core_config, keys.core_changed))
        self._keys = keys

    async def add(self, day: str, figures: dict[str, dict[str, int]], blocked: Sequence[bytes]) -> None:
        """Add to the figures of a day (`user`, `group`, `bot`, `reason` -> name -> count) and to the last blocked."""
        commands: list[tuple[Argument, ...]] = []
        for kind, counts in figures.items():
            key = self._keys.core_stats(f"{day}:{kind}")
            commands += [("HINCRBY", key, name, count) for name, count in counts.items()]
            commands.append(("EXPIRE", key, KEEP_FIGURES))
        if blocked:
            commands.append(("LPUSH", self._keys.core_blocked, *blocked))
            commands.append(("LTRIM", self._keys.core_blocked, 0, MOST_BLOCKED - 1))
        if commands:
            await self._client.pipeline(*commands)

    async def top(self, day: str, kind: str, count: int) -> list[Top]:
        """The highest figures of a kind, highest first."""
        found = [Top(name, messages) for name, messages in (await self.counts(day, kind)).items()]
        return sorted(found, key=lambda one: (-one.messages, one.name))[:count]

    async def counts(self, day: str, kind: str) -> dict[str, int]:
        """All figures of a kind: at most some 10,000."""
        flat: list[Any] = await self._client.call("HGETALL", self._keys.core_stats(f"{day}:{kind}"))
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {name.decode(errors="replace"): whole(count) for name, count in pairs}

    async def counts_of(self, day: str, kind: str, names: Sequence[str]) -> dict[str, int]:
        """The figures of these names; those that have none are left out."""
        if not names:
            return {}
        found = await self._client.call("HMGET", self._keys.core_stats(f"{day}:{kind}"), *names)
        return {name: whole(count) for name, count in zip(names, found, strict=True) if count is not None}

    async def blocked(self) -> list[bytes]:
        """The last that were blocked, newest first, each a JSON object."""
        found: list[bytes] = await self._client.call("LRANGE", self._keys.core_blocked, 0, MOST_BLOCKED - 1)
        return found
