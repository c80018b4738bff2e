"""Which worker runs what the clock starts: one for each time it is due."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import FIRE
from botmatrix.clock import Clock

LEASE: Final = 15.0
"""Seconds after which a run whose worker does not renew it is taken over."""


class Turn(IntEnum):
    """Whose turn it is: ours, somebody else's now, nobody's any more."""

    OURS = 1
    OTHERS = 0
    OVER = -1


class CronBox:
    """Speaks for one incarnation `inc` of a worker, and in it for whoever says `by`. Raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys, inc: str, clock: Clock) -> None:
        self._client, self._keys, self._inc, self._clock = client, keys, inc, clock

    async def take(self, name: str, due: int, by: str) -> Turn:
        """Take, or go on with, the run of `name` that is due at `due` (unix s)."""
        return Turn(await self._fire(name, due, by, int(LEASE * 1000)))

    async def done(self, name: str, due: int, by: str) -> None:
        """It was run: nobody takes it over."""
        await self._fire(name, due, by, 0)

    async def last(self, name: str) -> int:
        """When the last run that anybody took was due (unix s); 0 when there was none."""
        kept = await self._client.call("HGET", self._keys.cron, name)
        due = (kept or b"").partition(b"|")[0]
        return int(due) if due.isdigit() else 0

    async def _fire(self, name: str, due: int, by: str, lease_ms: int) -> int:
        now = int(self._clock.now() * 1000)
        return int(await self._client.run(FIRE, [self._keys.cron], name, due, f"{self._inc}.{by}", now, lease_ms))
