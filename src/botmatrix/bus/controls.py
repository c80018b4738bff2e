"""Which control processes there are: each says so itself, as workers do."""

from __future__ import annotations

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys

SECONDS = 30
"""For how long a control process counts as there after it said so."""


class Controls:
    """Reads and writes over a connection of its owner's. Every method raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def announce(self, inc: str, now: float) -> None:
        """This process is there; `now`: unix seconds."""
        k = self._keys
        await self._client.pipeline(("SET", k.control(inc), f"{now:.3f}", "EX", SECONDS), ("SADD", k.controls, inc))

    async def leave(self, inc: str) -> None:
        """It ends in order."""
        k = self._keys
        await self._client.pipeline(("DEL", k.control(inc)), ("SREM", k.controls, inc))

    async def living(self) -> list[str]:
        """Incarnations of those that are there; the others are forgotten."""
        k = self._keys
        incs = sorted(m.decode(errors="replace") for m in await self._client.call("SMEMBERS", k.controls))
        if not incs:
            return []
        alive = await self._client.call("MGET", *(k.control(inc) for inc in incs))
        if gone := [inc for inc, found in zip(incs, alive, strict=True) if found is None]:
            await self._client.call("SREM", k.controls, *gone)
        return [inc for inc, found in zip(incs, alive, strict=True) if found is not None]
