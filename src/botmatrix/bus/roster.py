"""Who takes events, as Redis describes it: all lanes in one look, and workers that hear by WebSocket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botmatrix.bus.client import Client
from botmatrix.bus.keys import PARKING, Keys
from botmatrix.bus.scripts import ROSTER
from botmatrix.bus.sockets import Told, all_told


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
    """A worker without a lane: the nexuses that hold its links hand it events. `bots`: whose; of all when it is empty.

    `copied`: it gets a copy of everything, whoever is chosen.
    """

    id: str
    pool: str
    is_application: bool
    bots: frozenset[str]
    copied: bool
    presence: dict[str, str]

    @property
    def takes_events(self) -> bool:
        """It is not draining."""
        return self.presence.get("draining", "0") != "1"

    def takes(self, bot: str) -> bool:
        """Whether it takes events of this bot."""
        return self.takes_events and (bot in self.bots or not self.is_application)


async def read_sockets(client: Client, keys: Keys) -> list[SocketView]:
    """Every worker that hears by WebSocket. Raises `EngineUnavailable`, `ReplyError`."""
    told: dict[str, list[Told]] = {}
    for one in await all_told(client, keys):
        told.setdefault(one.id, []).append(one)
    names = sorted(told)
    hashes = await client.pipeline(*(("HGETALL", keys.presence(name)) for name in names)) if names else []
    return [
        SocketView(
            id=name,
            pool=told[name][0].pool,
            is_application=told[name][0].kind == "onebot",
            bots=frozenset(bot for one in told[name] for bot in one.bots),
            copied=told[name][0].copied,
            presence=_words(flat) if isinstance(flat, list) else {},
        )
        for name, flat in zip(names, hashes, strict=True)
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
