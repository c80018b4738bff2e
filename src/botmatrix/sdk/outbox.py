"""Actions on their way out of one run of one handler.

Ids follow from event, plugin, handler and ordinal alone, so a second run makes the same ones, and what was
already written is not repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b

import msgspec

from botmatrix.bus.envelope import ActionEntry
from botmatrix.sdk.services import Services

LIFETIME_MS = 30_000
"""How long an action may wait to be sent, from the end of its handler, or from being written early."""


class Outbox:
    """What a handler sends, in order: buffered until the event is settled, or written at once."""

    __slots__ = ("_base", "_event_id", "_ordinal", "_services", "buffered", "unready")

    def __init__(self, event_id: str, plugin: str, handler: str, services: Services, *, of_event: bool = True) -> None:
        self._base = f"{event_id}|{plugin}|{handler}|"
        self._event_id = event_id if of_event else ""
        self._services = services
        self._ordinal = 0
        self.buffered: list[ActionEntry] = []
        self.unready: list[Callable[[], Awaitable[None]]] = []
        """What must still be found out or stored before anything may leave."""

    def entry(self, bot: str, action: str, params: bytes) -> ActionEntry:
        """The next action. `exp` is set when it leaves, or by `expiring`."""
        return ActionEntry(bot, self.mark(), action, msgspec.Raw(params), 0, "", self._event_id)

    def mark(self) -> str:
        """An id for something else that the handler does at this point."""
        ordinal, self._ordinal = self._ordinal, self._ordinal + 1
        return blake2b(f"{self._base}{ordinal}".encode(), digest_size=12).hexdigest()

    def expiring(self, entry: ActionEntry) -> ActionEntry:
        """The entry, with its time limit counted from now."""
        entry.exp = int(self._services.clock.now() * 1000) + LIFETIME_MS
        return entry

    async def ready(self) -> None:
        """Have everything ready to leave."""
        while self.unready:
            prepare = self.unready.pop(0)
            try:
                await prepare()
            except BaseException:
                self.unready.insert(0, prepare)
                raise

    async def flush(self) -> None:
        """Write what is buffered, in order, without waiting for results."""
        await self.ready()
        while self.buffered:
            entry = self.buffered.pop(0)
            try:
                await self._services.post(self.expiring(entry))
            except BaseException:
                self.buffered.insert(0, entry)
                raise
