"""Whether this worker was asked to take nothing new."""

from __future__ import annotations

import asyncio


class Drain:
    """A request that is made and withdrawn from outside (`botmatrix worker drain`)."""

    def __init__(self) -> None:
        self._free = asyncio.Event()
        self._free.set()

    def asked(self) -> bool:
        """Whether to take nothing new."""
        return not self._free.is_set()

    def set(self, asked: bool) -> bool:
        """Note the state of the request; True when it changed."""
        changed = asked is not self.asked()
        if asked:
            self._free.clear()
        else:
            self._free.set()
        return changed

    async def ended(self) -> None:
        """Until the request is withdrawn."""
        await self._free.wait()
