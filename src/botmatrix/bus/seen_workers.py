"""Which workers were here lately and are not any more: so that somebody notices when one goes away."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys

REMEMBERED: Final = 86_400.0
"""Seconds; a worker that is away for longer is not missed any more."""


class SeenWorkers:
    """The hash of workers and when each was seen last. Every method raises `EngineUnavailable`."""

    def __init__(self, redis: Client, keys: Keys) -> None:
        self._redis, self._key = redis, keys.seen_workers

    async def missed(self, alive: Collection[str], now: float) -> dict[str, float]:
        """Note who is alive; answers the others and when they were seen last (unix seconds)."""
        if alive:
            await self._redis.call("HSET", self._key, *(part for one in alive for part in (one, f"{now:.0f}")))
        flat = await self._redis.call("HGETALL", self._key)
        seen = {flat[at].decode(errors="replace"): _number(flat[at + 1]) for at in range(0, len(flat), 2)}
        if old := [one for one, at in seen.items() if now - at > REMEMBERED]:
            await self._redis.call("HDEL", self._key, *old)
        return {one: at for one, at in seen.items() if one not in alive and one not in old}


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
