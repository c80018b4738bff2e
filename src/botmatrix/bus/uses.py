"""How often something was used, for cooldowns and quotas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from botmatrix.bus.client import Client
from botmatrix.bus.connection import Argument
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import ALLOW


class Use(NamedTuple):
    """One limit, as it stands for somebody: `most` uses under this name, which starts anew `ms` after the first."""

    name: str
    most: int
    ms: int


class Refusal(NamedTuple):
    """Which limit is reached, for how long (ms), and whether this is the first that is refused for it."""

    limit: int
    ms: int
    first: bool


class UseBox:
    """Counts over a connection of its owner's."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def count(self, event_id: str, uses: Sequence[Use]) -> Refusal | None:
        """Count a use, once for its event; None when it is within all limits. Raises `EngineUnavailable`."""
        args: list[Argument] = [part for use in uses for part in (use.most, use.ms)]
        keys = [self._keys.uses(use.name) for use in uses]
        answer: list[int] = await self._client.run(ALLOW, keys, event_id, *args)
        return None if answer[0] == 0 else Refusal(answer[0] - 1, answer[1], bool(answer[2]))
