"""Password hashes: argon2id, off the event loop, at most two at once, and no more waiting than can be served soon."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from botmatrix.errors import BotMatrixError

AT_ONCE: Final = 2
"""Each hash takes 64 MiB of memory for some tens of milliseconds."""
MOST_WAITING: Final = 32
"""Who comes on top of these is refused: the last of a longer queue would have gone before its turn."""


class PasswordsBusy(BotMatrixError):
    """Too many passwords wait to be hashed; nothing was looked at. `retry_after`: seconds."""

    retry_after: Final = 5

    def __init__(self) -> None:
        super().__init__("too many logins at this moment: try again in a few seconds")


class Passwords:
    """Makes and checks hashes for one event loop. Every method raises `PasswordsBusy`."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        # One lane each: more threads than cores would starve the event loop that waits for them.
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """An argon2id hash with a salt of its own."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits. Without a hash (no such user) it takes as long and says no."""
        known = password_hash is not None
        stored = password_hash if password_hash is not None else await self._dummy()
        async with self._turn():
            fits = await asyncio.to_thread(self._verify, stored, password)
        return known and fits

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise PasswordsBusy
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _dummy(self) -> str:
        if not self._nobody:
            self._nobody = await self.hash(secrets.token_urlsafe(16))
        return self._nobody

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
