"""Password hashes: argon2id, off the event loop, at most two at once."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE: Final = 2
"""Each hash takes 64 MiB of memory for some tens of milliseconds."""


class Passwords:
    """Makes and checks hashes for one event loop."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        # One lane each: more threads than cores would starve the event loop that waits for them.
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """An argon2id hash with a salt of its own."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits. Without a hash (no such user) it takes as long and says no."""
        known = password_hash is not None
        stored = password_hash if password_hash is not None else await self._dummy()
        async with self._slots:
            fits = await asyncio.to_thread(self._verify, stored, password)
        return known and fits

    async def _dummy(self) -> str:
        if not self._nobody:
            self._nobody = await self.hash(secrets.token_urlsafe(16))
        return self._nobody

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
