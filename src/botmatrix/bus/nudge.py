"""When to look again: at once after a signal, and every few seconds, since signals get lost."""

from __future__ import annotations

import asyncio
import contextlib


class Nudge:
    """Waits between two looks. Calling it, as a signal does, ends the wait, or the next one when nobody waits."""

    def __init__(self, every: float) -> None:
        self.every = every
        self._came = asyncio.Event()

    def __call__(self, _body: bytes = b"") -> None:
        """There may be something new."""
        self._came.set()

    async def wait(self) -> None:
        """Until something may be new, at most `every` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.every):
                await self._came.wait()
        self._came.clear()
