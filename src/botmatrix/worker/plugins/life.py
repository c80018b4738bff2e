"""How many events a version of a plugin works on, so that it can be let go when there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress


class Life:
    """`events`: those that were matched to this version and have not ended. `held`: set while it is being exchanged.

    `apart`: it has a process of its own; `down` says why that is not there, if it is not. `slow`: it took its time when
    it last got through.
    """

    __slots__ = ("_given_up", "_quiet", "apart", "down", "events", "held", "slow")

    def __init__(self, *, down: Callable[[], str] | None = None) -> None:
        self.apart, self.down, self.slow = down is not None, down, False
        self.events = 0
        self.held: asyncio.Event | None = None
        self._quiet = asyncio.Event()
        self._given_up = False

    def enter(self) -> None:
        """An event came."""
        self.events += 1

    def leave(self) -> None:
        """It ended."""
        self.events -= 1
        if not self.events:
            self._quiet.set()

    async def quiet(self, timeout: float | None = None) -> bool:
        """Until no event is under way; False when there still is one after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.events and not self._given_up:
                    self._quiet.clear()
                    await self._quiet.wait()
        return not self.events or self._given_up

    def give_up(self) -> None:
        """What is under way is not waited for any more."""
        self._given_up = True
        self._quiet.set()
