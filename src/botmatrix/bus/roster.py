"""Who takes events, as Redis describes it: all lanes in one look, and workers that hear by WebSocket."""

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


@dataclass(slots=True)
class SocketView:
    """A worker without a lane: a nexus that holds its link hands it events. `bots`: whose, as far as it says so."""

    id: str
    presence: dict[str, str]
    bots: frozenset[str]

    @property
    def pool(self) -> str:
        """The pool that it belongs to."""
        return self.presence.get("pool") or "default"

    @property
    def is_application(self) -> bool:
        """Whether it is a OneBot application: attached to its bots, it is their implicit rule."""
        return self.presence.get("transport") == "onebot"

    def takes(self, bot: str) -> bool:
        """Whether it takes events of this bot."""
        return bot in self.bots or not self.bots


async def read_sockets(client: Client, keys: Keys) -> list[SocketView]:
    """Every worker that hears by WebSocket. Raises `EngineUnavailable`, `ReplyError`."""
    ids = sorted(await client.call("SMEMBERS", keys.workers))
    names = [one.decode(errors="replace") for one in ids]
    hashes = await client.pipeline(*(("HGETALL", keys.presence(name)) for name in names)) if names else []
    found = [(name, _words(flat)) for name, flat in zip(names, hashes, strict=True) if isinstance(flat, list)]
    return [
        SocketView(name, known, frozenset(filter(None, known.get("bots", "").split(","))))
        for name, known in found
        if known.get("transport") in ("onebot", "ws")
    ]


async def read_lanes(client: Client, keys: Keys) -> list[LaneView]:
    """Every lane and every parking place. Raises `EngineUnavailable`, `ReplyError`."""
    rows = await client.run(ROSTER, [keys.own, keys.parkings], keys.prefix, keys.lease(""), PARKING)
    return [_view(row) for row in rows]


def _view(row: list[Any]) -> LaneView:
    lane, owner, alive, oldest, newest, length, flat = row
    name, inc = lane.decode(errors="replace"), owner.decode(errors="replace")
    return LaneView(name, inc, bool(alive), oldest, newest, length, _words(flat))


def _words(flat: list[bytes]) -> dict[str, str]:
    words = [word.decode(errors="replace") for word in flat]
    return dict(zip(words[::2], words[1::2], strict=True))
