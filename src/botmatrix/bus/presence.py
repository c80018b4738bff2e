"""Who is there: workers, nexuses, bots, queues, dead letters. What the console, REST and the command line look at.

Written by the parts about themselves, read by anybody; nothing here is on the message path.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.figures import whole
from botmatrix.bus.keys import PARKING, Keys, is_parking
from botmatrix.bus.scripts import REPLAY

PRESENCE_SECONDS = 30
BATCH = 500


@dataclass(frozen=True, slots=True)
class Queue:
    """One lane: `length` unsettled entries, `pending` of them with the owner, `oldest` age in seconds."""

    lane: str
    owner: str
    alive: bool
    length: int
    pending: int
    oldest: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be handled: why, on which lane, since when (unix s), and what it was."""

    id: str
    reason: str
    lane: str
    since: float
    payload: bytes


class Presence:
    """Reads and writes of presence, over one connection. Every method raises `EngineUnavailable`."""

    def __init__(self, url: str, keys: Keys, *, name: str = "botmatrix-presence") -> None:
        self._keys = keys
        self._client = Client(url, name=name)

    async def announce(self, worker_id: str, fields: dict[str, str]) -> None:
        """Renew a worker's presence (30 s). Tells listeners by signal too."""
        k = self._keys
        key = k.presence(worker_id)
        flat = [part for pair in fields.items() for part in pair]
        await self._client.pipeline(
            # A predecessor of this id may have had the skill system on.
            *([] if "capabilities" in fields else [("HDEL", key, "capabilities", "skills")]),
            ("HSET", key, *flat),
            ("EXPIRE", key, PRESENCE_SECONDS),
            ("SADD", k.workers, worker_id),
            ("PUBLISH", k.presence_changed, worker_id),
        )

    async def list_plugins(self, worker_id: str, plugins: bytes) -> None:
        """Say which plugins a worker has (JSON, 30 s)."""
        await self._client.call("SET", self._keys.worker_plugins(worker_id), plugins, "EX", PRESENCE_SECONDS)

    async def plugins(self, worker_id: str) -> list[dict[str, Any]]:
        """The plugins of a worker as it told; none when it is gone."""
        found = await self._client.call("GET", self._keys.worker_plugins(worker_id))
        try:
            return msgspec.json.decode(found, type=list[dict[str, Any]]) if found else []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []

    async def leave(self, worker_id: str) -> None:
        """Withdraw a worker's presence at an orderly stop."""
        k = self._keys
        await self._client.pipeline(
            ("DEL", k.presence(worker_id), k.worker_plugins(worker_id)), ("SREM", k.workers, worker_id)
        )

    async def workers(self) -> list[dict[str, str]]:
        """What each worker says of itself; those whose presence ran out are forgotten."""
        k = self._keys
        ids = sorted(m.decode(errors="replace") for m in await self._client.call("SMEMBERS", k.workers))
        if not ids:
            return []
        hashes = await self._client.pipeline(*(("HGETALL", k.presence(i)) for i in ids))
        found = {i: _text(flat) for i, flat in zip(ids, hashes, strict=True)}
        if gone := [i for i, fields in found.items() if not fields]:
            await self._client.call("SREM", k.workers, *gone)
        return [{"id": i, **fields} for i, fields in found.items() if fields]

    async def nexuses(self) -> list[dict[str, str]]:
        """What each nexus says of itself; `alive` is `1` while it holds its lease."""
        k = self._keys
        incs = sorted(m.decode(errors="replace") for m in await self._client.call("SMEMBERS", k.nexuses))
        if not incs:
            return []
        hashes = await self._client.pipeline(*(("HGETALL", k.nexus(i)) for i in incs))
        leases = await self._client.pipeline(*(("EXISTS", k.lease(i)) for i in incs))
        return [
            {"inc": inc, "alive": str(alive), **_text(flat)}
            for inc, flat, alive in zip(incs, hashes, leases, strict=True)
        ]

    async def living_nexuses(self) -> set[str]:
        """Incarnations of the nexuses that live: what another one last wrote of a bot is of the past."""
        return {one["inc"] for one in await self.nexuses() if one["alive"] == "1"}

    async def bots(self, most: int | None = None) -> list[dict[str, str]]:
        """Every bot ever claimed, with what its nexus last wrote of it; of more than `most` the first by name."""
        k = self._keys
        names = sorted(m.decode(errors="replace") for m in await self._client.call("SMEMBERS", k.bots))[:most]
        found = []
        for start in range(0, len(names), BATCH):
            found += await self.some_bots(names[start : start + BATCH])
        return found

    async def bot_fields(self, fields: Sequence[str]) -> dict[str, dict[str, str]]:
        """Every bot ever claimed, with these fields of what its nexus last wrote; one command, and no future each."""
        k = self._keys
        gets = [part for field in fields for part in ("GET", k.bot("*") + "->" + field)]
        flat = await self._client.call("SORT", k.bots, "BY", "nosort", "GET", "#", *gets)
        words = [word.decode(errors="replace") if word is not None else None for word in flat]
        step = len(fields) + 1
        rows = (words[start : start + step] for start in range(0, len(words), step))
        return {
            row[0]: {name: value for name, value in zip(fields, row[1:], strict=True) if value is not None}
            for row in rows
            if row[0] is not None
        }

    async def some_bots(self, names: Sequence[str]) -> list[dict[str, str]]:
        """These bots, in one round trip."""
        hashes = await self._client.pipeline(*(("HGETALL", self._keys.bot(name)) for name in names))
        return [{"bot": name, **_text(flat)} for name, flat in zip(names, hashes, strict=True)]

    async def group_list(self, bot: str) -> dict[str, str]:
        """Group id -> name, as the bot's own list said last; empty when it is not known."""
        body = await self._client.call("GET", self._keys.groups(bot))
        try:
            return msgspec.json.decode(body or b"{}", type=dict[str, str])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    async def bot(self, bot: str) -> dict[str, str] | None:
        """One bot, or None when it was never here."""
        fields = _text(await self._client.call("HGETALL", self._keys.bot(bot)))
        return {"bot": bot, **fields} if fields else None

    async def queues(self) -> list[Queue]:
        """Every lane, the parking place, and those that targets of routing rules have of their own."""
        k = self._keys
        own = _text(await self._client.call("HGETALL", k.own))
        places = [place.decode(errors="replace") for place in await self._client.call("SMEMBERS", k.parkings)]
        queues = [await self._queue(place, "", "") for place in (PARKING, *sorted(filter(is_parking, places)))]
        for lane in sorted(own):
            epoch, _, inc = own[lane].partition("|")
            queues.append(await self._queue(lane, f"g{epoch}", inc))
        return queues

    async def dead(self, *, start: str = "-", count: int = 100) -> list[DeadLetter]:
        """Dead letters, oldest first, from entry id `start` on."""
        entries = await self._client.call("XRANGE", self._keys.dead, start, "+", "COUNT", count)
        return [_letter(entry_id.decode(), fields) for entry_id, fields in entries]

    async def dead_count(self) -> int:
        """How many dead letters there are."""
        return int(await self._client.call("XLEN", self._keys.dead))

    async def replay(self, letter: str) -> bool:
        """Put a dead letter back, under its own event id; False when there is none with this id."""
        k = self._keys
        return bool(await self._client.run(REPLAY, [k.dead, k.lane(PARKING), k.stats], letter))

    async def purge(self, letter: str | None = None) -> int:
        """Discard one dead letter, or all; says how many."""
        if letter is not None:
            return int(await self._client.call("XDEL", self._keys.dead, letter))
        return int(await self._client.call("XTRIM", self._keys.dead, "MAXLEN", 0))

    async def stats(self) -> dict[str, int]:
        """The counters that are written where an entry moves."""
        flat = await self._client.call("HGETALL", self._keys.stats)
        return {name.decode(errors="replace"): whole(count) for name, count in zip(flat[::2], flat[1::2], strict=True)}

    async def drain(self, worker_id: str, *, on: bool = True) -> None:
        """Ask a worker to take nothing new (or to take again); it answers in its presence."""
        key = self._keys.drain(worker_id)
        if on:
            await self._client.call("SET", key, "1")
        else:
            await self._client.call("DEL", key)

    async def draining(self, worker_id: str) -> bool:
        """Whether a worker was asked to take nothing new."""
        return bool(await self._client.call("EXISTS", self._keys.drain(worker_id)))

    async def drains(self, worker_ids: Sequence[str]) -> list[tuple[bool, int]]:
        """Of each worker: whether it was asked to take nothing new, and what its lane still holds."""
        if not worker_ids:
            return []
        k = self._keys
        asked = await self._client.pipeline(*(("EXISTS", k.drain(one)) for one in worker_ids))
        left = await self._client.pipeline(*(("XLEN", k.lane(one)) for one in worker_ids))
        return [(bool(on), int(count)) for on, count in zip(asked, left, strict=True)]

    async def ping(self) -> None:
        """Raise `EngineUnavailable` when Redis is away."""
        await self._client.call("PING")

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def _queue(self, lane: str, group: str, inc: str) -> Queue:
        k = self._keys
        stream = k.lane(lane)
        length, first, alive, pending = await self._client.pipeline(
            ("XLEN", stream),
            ("XRANGE", stream, "-", "+", "COUNT", 1),
            ("EXISTS", k.lease(inc)),
            ("XPENDING", stream, group or "none"),
        )
        if isinstance(length, ReplyError):
            return Queue(lane, inc, alive=bool(inc) and bool(alive), length=0, pending=0, oldest=0.0)
        oldest = time.time() - int(first[0][0].split(b"-")[0]) / 1000 if first else 0.0
        held = pending[0] if isinstance(pending, list) else 0
        return Queue(lane, inc, bool(inc) and bool(alive), length, held, max(0.0, oldest))


def state_of(bot: Mapping[str, str], alive: set[str]) -> str:
    """A bot's state as its nexus last wrote it; offline when that nexus is gone."""
    return bot.get("state", "offline") if bot.get("nexus", "") in alive else "offline"


def _text(flat: list[bytes] | ReplyError) -> dict[str, str]:
    """A hash in words; nothing when the key is of another type."""
    if isinstance(flat, ReplyError):
        return {}
    words = [word.decode(errors="replace") for word in flat]
    return dict(zip(words[::2], words[1::2], strict=True))


def _letter(entry_id: str, fields: list[Any]) -> DeadLetter:
    known = dict(zip(fields[::2], fields[1::2], strict=False))
    since = int(entry_id.split("-")[0]) / 1000
    reason, lane = (known.get(name, b"").decode(errors="replace") for name in (b"reason", b"lane"))
    return DeadLetter(entry_id, reason, lane, since, known.get(b"payload", b""))
