"""A worker's side of the lanes: own them, read them, settle what was handled.

Guarantee: between `join` and the next owner's `join`, this owner alone reads the lane, in order; a settlement made
after that is answered `x` and has no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.connection import Argument, Connection, ConnectionLost, open_connection
from botmatrix.bus.envelope import FIELD, ActionEntry, encode
from botmatrix.bus.keys import Keys, plain_id
from botmatrix.bus.scripts import ASKED, JOIN, RELEASE, RETIRE, SETTLE
from botmatrix.errors import Fenced

KEEP_ASKED = 86_400
SETTLED, FENCED, KEPT = b"s"[0], b"x"[0], b"k"[0]
"""Letters of a settlement: done; somebody else did it; acknowledged, but Redis refused something it sends."""


class Lane(NamedTuple):
    """A lane and the consumer group that proves it is ours."""

    name: str
    group: str


class Delivery(NamedTuple):
    """One entry read from a lane."""

    lane: Lane
    entry_id: bytes
    payload: bytes


class Settlement:
    """How one entry ended.

    `nexus` and `t` are the envelope's (who received it, ms of unix time); `dead` is the reason when it goes to the
    dead letters, with `payload`; `actions` leave in the same step. `result`: the entry was a skill call,
    this is what it came to (JSON); it is reported in the same step, in place of anything else.
    """

    __slots__ = ("actions", "dead", "entry_id", "nexus", "payload", "result", "t")

    def __init__(
        self,
        entry_id: bytes,
        nexus: str,
        t: int,
        actions: Sequence[ActionEntry] = (),
        *,
        dead: str = "",
        payload: bytes = b"",
        result: bytes = b"",
    ) -> None:
        self.entry_id, self.nexus, self.t = entry_id, nexus, t
        self.actions = actions
        self.dead, self.payload = dead, payload
        self.result = result


class Lanes:
    """The lanes that one incarnation `inc` of a worker owns."""

    def __init__(self, url: str, keys: Keys, inc: str) -> None:
        self._url, self._keys, self.inc = url, keys, inc
        self._client = Client(url, name=f"botmatrix-worker-{inc}")
        self._readers: dict[str, Connection] = {}

    async def join(self, lane: str, *, force: bool = False) -> Lane | None:
        """Become the owner; None when its owner lives. Only the lane's own worker may `force`."""
        k = self._keys
        stream = k.lane(lane)
        keys = [k.own, k.epoch, stream, k.deaths(lane), k.suspects(lane)]
        group = await self._client.run(JOIN, keys, lane, self.inc, "1" if force else "0", k.lease(""))
        return None if group == b"BUSY" else Lane(lane, group.decode())

    async def owner(self, lane: str) -> str:
        """Incarnation that owns the lane; empty when it was given back or never existed."""
        own = await self._client.call("HGET", self._keys.own, lane)
        return own.decode(errors="replace").partition("|")[2] if own else ""

    async def alive(self, inc: str) -> bool:
        """Whether an incarnation holds its lease."""
        return bool(await self._client.call("EXISTS", self._keys.lease(inc)))

    async def orphans(self) -> list[str]:
        """Lanes whose owner is gone."""
        flat = await self._client.call("HGETALL", self._keys.own)
        lanes = [lane.decode(errors="replace") for lane in flat[::2]]
        owners = [own.decode(errors="replace").partition("|")[2] for own in flat[1::2]]
        if not lanes:
            return []
        leases = await self._client.pipeline(*(("EXISTS", self._keys.lease(inc)) for inc in owners))
        found = zip(lanes, owners, leases, strict=True)
        return [lane for lane, inc, alive in found if plain_id(lane) and (not inc or not alive)]

    async def read(self, lane: Lane, count: int, block_ms: int) -> list[Delivery]:
        """Next entries, oldest first; an empty list after `block_ms`. Raises `Fenced`, `EngineUnavailable`."""
        return await self._read(lane, ">", count, block_ms)

    async def unsettled(self, lane: Lane, after: bytes, count: int) -> list[Delivery]:
        """Entries delivered to this owner and not settled, above `after`: for a read whose answer got lost.

        Raises `Fenced`, `EngineUnavailable`.
        """
        return await self._read(lane, after, count, 0)

    async def _read(self, lane: Lane, start: Argument, count: int, block_ms: int) -> list[Delivery]:
        connection = self._readers.get(lane.name)
        if connection is None or connection.closed:
            connection = await open_connection(
                self._url, name=f"botmatrix-lane-{lane.name}", timeout=5.0 + block_ms / 1000
            )
            self._readers[lane.name] = connection
        stream = self._keys.lane(lane.name)
        try:
            reply = await connection.call(
                *("XREADGROUP", "GROUP", lane.group, "owner", "COUNT", count, "BLOCK", block_ms),
                *("STREAMS", stream, start),
            )
        except ReplyError as error:
            # UNBLOCKED and NOGROUP both end a blocked read when the group is destroyed under it.
            if str(error).startswith(("NOGROUP", "UNBLOCKED")):
                raise Fenced(lane.name) from error
            raise
        if not reply:
            return []
        return [Delivery(lane, entry_id, _payload(fields)) for entry_id, fields in reply[0][1]]

    async def settle(self, lane: Lane, items: Sequence[Settlement]) -> bytes:
        """Settle in one step; a letter per item (`SETTLED`, `FENCED`, `KEPT`)."""
        k = self._keys
        args: list[Argument] = [lane.name, lane.group, k.prefix, len(items)]
        received: dict[str, list[int]] = {}
        for item in items:
            if item.result:
                args += (item.entry_id, b"", item.result, -1)
                continue
            reason = item.dead.encode(errors="replace")
            args += (item.entry_id, reason, item.payload if item.dead else b"", len(item.actions))
            for action in item.actions:
                args += (action.bot, encode(action))
            if item.nexus:
                count = received.setdefault(item.nexus, [0, 0, 0])
                count[0] += 1
                count[1] += item.t
                count[2] += bool(item.dead)
        for nexus, (count_, total, dead) in received.items():
            args += (nexus, count_, f"{total} {dead}" if dead else total)
        letters: bytes = await self._client.run(SETTLE, [k.lane(lane.name), k.dead, k.stats, k.orphans], *args)
        return letters

    async def deaths(self, lane: Lane) -> dict[bytes, int]:
        """Entry id -> how many workers died while it was delivered to them."""
        flat: list[bytes] = await self._client.call("HGETALL", self._keys.deaths(lane.name))
        counts = zip(flat[::2], flat[1::2], strict=True)
        return {entry: int(count) for entry, count in counts if count.isdigit()}

    async def suspect(self, lane: Lane, entry_id: bytes) -> None:
        """Mark an entry before it runs alone: only marked ones are blamed for the next death."""
        await self._client.call("SADD", self._keys.suspects(lane.name), entry_id)

    async def acquit(self, lane: Lane, entry_id: bytes) -> None:
        """It ran alone and nobody died."""
        await self._client.pipeline(
            ("SREM", self._keys.suspects(lane.name), entry_id),
            ("HDEL", self._keys.deaths(lane.name), entry_id),
        )

    async def asked(self, lane: Lane, ask_id: str) -> tuple[bytes, float]:
        """The lane's last entry when a question was first asked, and how long ago that is (s; 0: just now)."""
        keys = [self._keys.ask(ask_id), self._keys.lane(lane.name)]
        after, elapsed_ms = await self._client.run(ASKED, keys, KEEP_ASKED)
        return after, elapsed_ms / 1000

    async def release(self, lane: Lane) -> None:
        """Give the lane back at an orderly stop."""
        await self._client.run(RELEASE, [self._keys.own], lane.name, self.inc)
        await self._close_reader(lane.name)

    async def retire(self, lane: Lane) -> bool:
        """Delete an adopted lane that is empty; False when it is not."""
        k = self._keys
        keys = [k.own, k.lane(lane.name), k.deaths(lane.name), k.suspects(lane.name)]
        gone = bool(await self._client.run(RETIRE, keys, lane.name, self.inc))
        if gone:
            await self._close_reader(lane.name)
        return gone

    async def close(self) -> None:
        """End the connections; nothing is settled or released by it."""
        for name in list(self._readers):
            await self._close_reader(name)
        await self._client.close()

    async def _close_reader(self, name: str) -> None:
        if reader := self._readers.pop(name, None):
            await reader.close()


def _payload(fields: list[Any] | None) -> bytes:
    """The field `payload` of an entry; empty when somebody wrote an entry without one."""
    if not fields:
        return b""
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        if name == FIELD:
            return bytes(value)
    return b""


__all__ = ["FENCED", "KEPT", "SETTLED", "ConnectionLost", "Delivery", "Lane", "Lanes", "Settlement"]
