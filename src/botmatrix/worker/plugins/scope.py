"""What a plugin registers, its scope undoes: all of it, last first, whatever raises."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from botmatrix.sdk.raised import must_leave

log = logging.getLogger(__name__)


class Scope:
    """The undo list of one loaded plugin. Closing twice does nothing. `modules`: names of those it brought."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._stack = AsyncExitStack()
        self.modules: list[str] = []

    def on_close(self, undo: Callable[..., object], *args: Any) -> None:
        """Call `undo(*args)` at the end."""
        self._stack.callback(undo, *args)

    def on_close_async(self, undo: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Await `undo(*args)` at the end."""
        self._stack.push_async_callback(undo, *args)

    async def close(self) -> None:
        """Undo everything. What raises is logged, and the rest still undone."""
        try:
            await self._stack.aclose()
        except BaseException as error:
            if must_leave(error):
                raise
            log.exception("plugin %s: something went wrong while it was unloaded", self._plugin)
