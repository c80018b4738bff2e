"""Hot configuration: hashes that anybody may set in Redis and every process goes by within seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from botmatrix.bus.client import Client, ReplyError
from botmatrix.bus.connection import Argument
from botmatrix.bus.hot_values import Kind, RateLimits, Ttls, check, rate_limits, ttls
from botmatrix.bus.keys import Keys
from botmatrix.bus.nudge import Nudge
from botmatrix.bus.scripts import HOT
from botmatrix.errors import EngineUnavailable

log = structlog.get_logger("hot")
EVERY: Final = 3.0
"""Seconds between two looks; a nudge makes it at once."""


class HotBox:
    """Reads and writes the hashes over a connection of its owner's. Raises `EngineUnavailable`, `ReplyError`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys
        self._hashes = {Kind.RATELIMIT: keys.config_ratelimit, Kind.TTL: keys.config_ttl}

    async def read(self, kind: Kind) -> dict[str, str]:
        """The fields as they stand there, whether they can be used or not."""
        return _text(await self._client.call("HGETALL", self._hashes[kind]))

    async def change(self, kind: Kind, data: Mapping[str, str], *, clear: bool) -> dict[str, str]:
        """Set fields (an empty value drops one; `clear` drops all first) and tell everybody; returns what was there."""
        flat: list[Argument] = [part for pair in data.items() for part in pair]
        head = (self._keys.hot_changed, kind.value, "1" if clear else "0")
        before = await self._client.run(HOT, [self._hashes[kind]], *head, *flat)
        return _text(before)


class Hot:
    """What this process goes by. Of a field that can't be used, and while Redis is away, the last good value stays."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys
        self.nudge = Nudge(EVERY)
        self._seen: list[Any] = []
        self._numbers: dict[Kind, dict[str, int]] = {kind: {} for kind in Kind}
        self._followers: list[Callable[[Hot], None]] = []
        self.limits = RateLimits()
        self.ttls = Ttls()

    def follow(self, take: Callable[[Hot], None]) -> None:
        """Call `take` now and after each change; it must be quick."""
        self._followers.append(take)
        take(self)

    async def run(self) -> None:
        """Look when nudged, and every 3 s: somebody may have set a field directly."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("the hot configuration stays as it is", error=str(error))
            await self.nudge.wait()

    async def look(self) -> None:
        """Read both hashes and take what is new. Raises `EngineUnavailable`, `ReplyError`."""
        k = self._keys
        found = await self._client.pipeline(("HGETALL", k.config_ratelimit), ("HGETALL", k.config_ttl))
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
        if found == self._seen:
            return
        self._seen = found
        for kind, flat in zip(Kind, found, strict=True):
            self._take(kind, _text(flat))
        self.limits, self.ttls = rate_limits(self._numbers[Kind.RATELIMIT]), ttls(self._numbers[Kind.TTL])
        for take in self._followers:
            take(self)

    def _take(self, kind: Kind, text: Mapping[str, str]) -> None:
        before, (numbers, problems) = self._numbers[kind], check(kind, text)
        self._numbers[kind] = numbers | {name: before[name] for name in problems if name in before}
        for name in list(problems)[:20]:
            log.warning("a field can't be used, its last good value stays", hash=kind, field=name, why=problems[name])


def _text(flat: list[Any]) -> dict[str, str]:
    words = [part.decode(errors="replace") for part in flat]
    return dict(zip(words[::2], words[1::2], strict=True))
