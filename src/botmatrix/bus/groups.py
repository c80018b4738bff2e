"""Several bots in one group, as all nexuses know it: the policies, who was heard there, who is online."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from botmatrix.bus.client import Client
from botmatrix.bus.connection import Argument
from botmatrix.bus.documents import DocumentBox, Place
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import ONLINE

Pair = tuple[str, str]
"""A group and a bot, both `platform:id`."""


class GroupsBox(DocumentBox):
    """Every method raises `EngineUnavailable` and `ReplyError`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        super().__init__(client, Place(keys.groups_version, keys.groups_policies, keys.groups_changed))
        self._keys = keys

    async def heard(self) -> dict[Pair, int]:
        """When each bot last heard something in a group (unix seconds, right to half a minute)."""
        flat = await self._client.call("HGETALL", self._keys.groups_heard)
        found: dict[Pair, int] = {}
        for name, moment in zip(flat[::2], flat[1::2], strict=True):
            group, _, bot = name.decode(errors="replace").partition(" ")
            found[group, bot] = int(moment) if moment.isdigit() and len(moment) < 12 else 0
        return found

    async def hear(self, heard: Mapping[Pair, int]) -> None:
        """These bots heard something then."""
        flat: list[Argument] = []
        for (group, bot), moment in heard.items():
            flat += (f"{group} {bot}", moment)
        await self._client.call("HSET", self._keys.groups_heard, *flat)

    async def forget(self, pairs: Sequence[Pair]) -> None:
        """They have not heard anything for long."""
        await self._client.call("HDEL", self._keys.groups_heard, *(f"{group} {bot}" for group, bot in pairs))

    async def online(self, bots: Sequence[str]) -> dict[str, bool]:
        """Whether each of these bots is online, at whichever nexus."""
        if not bots:
            return {}
        answers = await self._client.run(ONLINE, [], self._keys.bot(""), self._keys.lease(""), *bots)
        return {bot: bool(answer) for bot, answer in zip(bots, answers, strict=True)}
