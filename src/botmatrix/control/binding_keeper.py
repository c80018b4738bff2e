"""Makes bindings of the codes that were said in chats, and ends them."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from botmatrix.bus.binding import BindBox
from botmatrix.bus.client import ReplyError
from botmatrix.control.settings_keeper import SettingsKeeper
from botmatrix.errors import EngineUnavailable
from botmatrix.store.bindings import Bindings

EVERY: Final = 0.5
"""Seconds between two looks for claims."""

log = structlog.get_logger(__name__)


class BindingKeeper:
    """One per control process. A claim stays in Redis until PostgreSQL has it, whichever process does that."""

    def __init__(self, box: BindBox, bindings: Bindings, settings: SettingsKeeper) -> None:
        self._box, self._bindings, self._settings = box, bindings, settings

    async def offer(self, user_id: int) -> str:
        """A new code of a user. Raises `EngineUnavailable`."""
        return await self._box.offer(user_id)

    async def run(self) -> None:
        """Look for claims again and again."""
        while True:
            try:
                await self.take()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("claims wait", error=str(error))
            await asyncio.sleep(EVERY)

    async def take(self) -> None:
        """Bind everybody who has said a right code. Raises `EngineUnavailable`, `ReplyError`."""
        for identity, user_id in (await self._box.claims()).items():
            if await self._bindings.add(identity, user_id):
                log.info("somebody in a chat was bound to a user", who=identity, user_id=user_id)
                self._settings.soon()
            await self._box.settle(identity)

    async def end(self, identity: str) -> None:
        """End a binding. Raises `EngineUnavailable`."""
        await self._bindings.remove(identity)
        self._settings.soon()
