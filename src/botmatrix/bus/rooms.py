"""Waiting rooms: a stream for each bot with actions whose turn has not come. Nobody has read them, so none was sent."""

from __future__ import annotations

from collections.abc import Sequence

from botmatrix.bus.client import Client
from botmatrix.bus.connection import Argument
from botmatrix.bus.envelope import FIELD
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import ADMIT, DEFER

Entry = tuple[bytes, bytes]
"""An entry's id and its payload."""


class Rooms:
    """Every method raises `EngineUnavailable` and `ReplyError`, and may be called again when its outcome is unknown."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys

    async def bots(self) -> set[str]:
        """Bots for which something waits."""
        return {bot.decode(errors="replace") for bot in await self._client.call("SMEMBERS", self._keys.paced)}

    async def waiting(self, bots: Sequence[str]) -> dict[str, int]:
        """How many wait for each of them."""
        lengths = await self._client.pipeline(*(("XLEN", self._keys.room(bot)) for bot in bots)) if bots else []
        return dict(zip(bots, lengths, strict=True))

    async def peek(self, bot: str, count: int) -> list[Entry]:
        """The oldest entries of a room."""
        found = await self._client.call("XRANGE", self._keys.room(bot), "-", "+", "COUNT", count)
        return [(entry_id, dict(zip(flat[::2], flat[1::2], strict=False)).get(FIELD, b"")) for entry_id, flat in found]

    async def defer(self, inc: str, bot: str, entries: Sequence[Entry], most: int) -> str:
        """Move entries of a nexus's action stream to the room: `m` moved or `f` full, for each."""
        k = self._keys
        keys = [k.actions(inc), k.room(bot), k.paced]
        letters: bytes = await self._client.run(DEFER, keys, bot, most, *_flat(entries))
        return letters.decode()

    async def admit(self, inc: str, bot: str, entries: Sequence[Entry]) -> int:
        """Move entries of the room to the nexus's action stream; how many wait on, -1: another nexus has the bot."""
        k = self._keys
        keys = [k.room(bot), k.actions(inc), k.paced, k.bot(bot)]
        return int(await self._client.run(ADMIT, keys, bot, inc, *_flat(entries)))


def _flat(entries: Sequence[Entry]) -> list[Argument]:
    return [part for entry in entries for part in entry]
