"""Which tokens open a link of which bot, and who was sent away: from memory, the last good copy while Redis is away."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable

import msgspec
import structlog

from botmatrix.bus.access import Access, AccessBox, Kept, parse
from botmatrix.bus.client import ReplyError
from botmatrix.bus.nudge import Nudge
from botmatrix.clock import Clock
from botmatrix.config.home import Home
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus import closing
from botmatrix.nexus.hub import Hub

log = structlog.get_logger("access")
EVERY = 2.0
"""Seconds between two looks at the version, in case that a signal was lost."""


class Gatekeeper:
    """Implements `Tokens`. `common` gives the token of bots that have none of their own; `""`: none is needed.

    A change closes the links that it makes unwelcome: with 4003 those whose token is void, with 4010 those that were
    sent away.
    """

    def __init__(self, box: AccessBox, home: Home, hub: Hub, common: Callable[[], str], clock: Clock) -> None:
        self._box, self._home, self._hub, self._common, self._clock = box, home, hub, common, clock
        self._file = home.root / "access.json"
        self.nudge = Nudge(EVERY)
        self._version = ""
        self._looked = False
        self._access = Access()
        self._digests: dict[str, bytes] = {}
        self._all: frozenset[bytes] = frozenset()

    # ---------------------------------------------------------------- what the gateway asks

    def opens(self, bot: str | None, token: str) -> bool:
        """Whether the token opens a link of this bot; of None: of any bot."""
        given = token.encode(errors="surrogateescape")
        digest = hashlib.sha256(given).digest()
        own = self._digests.get(bot) if bot is not None else None
        if own is not None:
            return hmac.compare_digest(own, digest)
        common = self._common()
        right = not common or hmac.compare_digest(common.encode(), given)
        # How a digest is looked up tells nothing of the token that it is the digest of.
        return right or (bot is None and digest in self._all)

    def banned(self, bot: str) -> float:
        """Seconds for which this bot is to stay away; 0: it may come."""
        until = self._access.bans.get(bot)
        return max(0.0, until - self._clock.now()) if until is not None else 0.0

    # ---------------------------------------------------------------- the document

    def restore(self) -> None:
        """Take the last good copy of HOME, if there is one."""
        try:
            self._take(parse(self._file.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, ValueError) as error:
            log.warning("the copy of the bots' tokens can't be used", file=str(self._file), error=str(error))

    async def run(self) -> None:
        """Look when nudged, and every 2 s."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("the bots' tokens stay as they are", error=str(error))
            await self.nudge.wait()

    async def look(self) -> None:
        """Take the version of Redis when it is another one. Raises `EngineUnavailable`."""
        # A Redis that lost its data says nothing about tokens: control writes them again.
        if await self._box.version() not in ("", self._version):
            kept = await self._box.read()
            if kept is not None:
                await self._load(kept)
        self._looked = True

    async def _load(self, kept: Kept) -> None:
        self._version = kept.version
        before, digests = self._access, self._digests
        try:
            self._take(parse(kept.document))
        except (msgspec.DecodeError, ValueError) as error:
            log.error("the bots' tokens can't be read, the last ones stay", version=kept.version, error=str(error))
            return
        if self._looked:  # kicks that were there at the start are of the past
            self._send_away(before.kicks)
        self._close_void(digests)
        try:
            await asyncio.to_thread(self._home.write_private, self._file, kept.document.decode())
        except OSError as error:
            log.warning("the bots' tokens could not be copied", file=str(self._file), error=str(error))

    def _take(self, access: Access) -> None:
        """Raises `ValueError` for what is no digest; then nothing has changed."""
        digests = {bot: bytes.fromhex(digest) for bot, digest in access.tokens.items()}
        self._access, self._digests, self._all = access, digests, frozenset(digests.values())

    def _send_away(self, before: dict[str, int]) -> None:
        for bot, kicks in self._access.kicks.items():
            if kicks != before.get(bot, 0):
                self._hub.drop(bot, closing.DROPPED, "sent away by an operator")

    def _close_void(self, before: dict[str, bytes]) -> None:
        """Close the links whose token was good and is not any more."""
        for key in {bot for bot, _ in before.items() ^ self._digests.items()}:
            bot = self._hub.bots.get(key)
            for link in bot.links if bot is not None else ():
                if not link.permits(key):
                    link.connection.close(closing.FORBIDDEN, "the bot's token was changed")
