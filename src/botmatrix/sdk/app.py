"""`App`: a loaded plugin's own corner of the worker."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from botmatrix.sdk.store import Store


class App:
    """Given to `on_startup` and `on_shutdown`. `config`: the plugin's model, filled; None without one.

    `store`: what the plugin keeps for good.
    """

    __slots__ = ("_timers", "_undo", "config", "id", "log", "store")

    def __init__(self, id: str, store: Store, config: Any = None) -> None:
        self.id = id
        self.store = store
        self.config = config
        self.log = logging.getLogger(f"botmatrix.plugin.{id}")
        self._undo: list[Callable[[], Any]] = []
        self._timers: set[asyncio.TimerHandle] = set()

    def on_close(self, undo: Callable[[], Any]) -> None:
        """Call this, or await what it gives, when this version of the plugin is let go; what was said last goes first.

        For whatever it holds: `app.on_close(file.close)`, `app.on_close(client.aclose)`.
        """
        self._undo.append(undo)

    def after(self, seconds: float, function: Callable[[], object]) -> asyncio.TimerHandle:
        """Call a function on the worker's loop, unless the plugin is let go before."""

        def fire() -> None:
            self._timers.discard(timer)
            function()

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)
        return timer

    async def close(self) -> None:
        """Undo everything; the host calls it. What raises is logged."""
        while self._timers:
            self._timers.pop().cancel()
        while self._undo:
            try:
                ended = self._undo.pop()()
                if inspect.isawaitable(ended):
                    await ended
            except Exception as error:
                self.log.exception("something could not be closed", exc_info=error)
