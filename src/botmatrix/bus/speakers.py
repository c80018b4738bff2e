"""Which bot can speak somewhere: one that is online and, for a group, in it."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import msgspec

from botmatrix.bus.client import Client
from botmatrix.bus.keys import Keys
from botmatrix.clock import Clock
from botmatrix.errors import ActionFailed

FRESH: Final = 3.0
"""Seconds for which what was found about the bots of a platform is taken for true."""
NO_BOT: Final = 1404


class _Bot(NamedTuple):
    """`groups`: ids of those that it is in; None when it has not told."""

    name: str
    online: bool
    groups: frozenset[str] | None


class Speakers:
    """Looks at what nexuses write of their bots. Raises `EngineUnavailable`."""

    def __init__(self, client: Client, keys: Keys, clock: Clock) -> None:
        self._client, self._keys, self._clock = client, keys, clock
        self._known: dict[str, tuple[float, list[_Bot]]] = {}
        self._looking = asyncio.Lock()

    async def choose(self, platform: str, kind: str, id: str, preferred: str = "") -> str:
        """`platform:self_id` of the bot that shall speak there, `preferred` if it can.

        One that is online before one that is not, one that is known to be in the group before one of which that is not
        known; else the first by name. Raises `ActionFailed` (1404) when there is none.
        """
        bots = [bot for bot in await self._bots(platform) if kind != "group" or bot.groups is None or id in bot.groups]
        if not bots:
            where = f"in {platform}:{kind}:{id}" if kind == "group" else f"on {platform}"
            raise ActionFailed(NO_BOT, f"there is no bot {where}", "send_msg")
        return min(bots, key=lambda bot: (not bot.online, bot.groups is None, bot.name != preferred, bot.name)).name

    async def _bots(self, platform: str) -> list[_Bot]:
        async with self._looking:
            until, bots = self._known.get(platform, (0.0, []))
            if self._clock.monotonic() >= until:
                bots = await self._look(platform)
                self._known[platform] = self._clock.monotonic() + FRESH, bots
        return bots

    async def _look(self, platform: str) -> list[_Bot]:
        k = self._keys
        members = await self._client.call("SMEMBERS", k.bots)
        names = sorted(name for name in (one.decode(errors="replace") for one in members) if _is_on(name, platform))
        if not names:
            return []
        told = await self._client.pipeline(
            *(("HMGET", k.bot(name), "nexus", "state") for name in names), *(("GET", k.groups(name)) for name in names)
        )
        states, groups = told[: len(names)], told[len(names) :]
        incs = sorted({nexus.decode(errors="replace") for nexus, _ in states if nexus})
        leases = await self._client.pipeline(*(("EXISTS", k.lease(inc)) for inc in incs)) if incs else []
        alive = {inc.encode() for inc, lease in zip(incs, leases, strict=True) if lease}
        return [
            _Bot(name, nexus in alive and state != b"offline", _ids(group))
            for name, (nexus, state), group in zip(names, states, groups, strict=True)
        ]


def _is_on(name: str, platform: str) -> bool:
    return name.partition(":")[0] == platform


def _ids(groups: bytes | None) -> frozenset[str] | None:
    try:
        found = msgspec.json.decode(groups, type=dict[str, str]) if groups else {}
    except msgspec.DecodeError:
        found = {}
    return frozenset(found) or None
