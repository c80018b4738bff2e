"""All lanes as Redis describes them in one look: who owns each, whether it lives, how much is unsettled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botmatrix.bus.client import Client
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.scripts import ROSTER


@dataclass(slots=True)
class LaneView:
    """One lane: its owner, whether it lives, ids of its oldest and newest entry (empty when it has none), how many
    entries are unsettled, and what its worker says of itself."""

    lane: str
    owner: str
    alive: bool
    oldest: bytes
    newest: bytes
    length: int
    presence: dict[str, str]

    @property
    def takes_events(self) -> bool:
        """Its own worker reads it, lives, and is not draining."""
        own = self.owner.startswith(self.lane + ".")
        return self.alive and own and bool(self.presence) and self.presence.get("draining", "0") != "1"

    @property
    def pool(self) -> str:
        """The pool that its worker belongs to."""
        return self.presence.get("pool") or "default"


async def read_lanes(client: Client, keys: Keys) -> list[LaneView]:
    """Every lane and every parking place. Raises `EngineUnavailable`, `ReplyError`."""
    rows = await client.run(ROSTER, [keys.own, keys.parkings], keys.prefix, keys.lease(""), PARKING)
    return [_view(row) for row in rows]


def _view(row: list[Any]) -> LaneView:
    lane, owner, alive, oldest, newest, length, flat = row
    words = [word.decode(errors="replace") for word in flat]
    presence = dict(zip(words[::2], words[1::2], strict=True))
    return LaneView(lane.decode(), owner.decode(errors="replace"), bool(alive), oldest, newest, length, presence)
