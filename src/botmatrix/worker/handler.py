"""What the worker needs of whatever handles its events."""

from __future__ import annotations

from typing import Any, Protocol

from botmatrix.bus.envelope import Envelope
from botmatrix.worker.outcome import Outcome


class Handler(Protocol):
    """Handles events one by one; the plugin host is one."""

    def serial_key(self, envelope: Envelope, event: dict[str, Any]) -> str:
        """What must run strictly one after another: by default one person's events in one conversation."""
        ...

    async def handle(self, envelope: Envelope, event: dict[str, Any]) -> Outcome:
        """Handle one event; errors, deadlines and the one immediate retry are inside. An exception kills the event."""
        ...

    def expire(self, now: float) -> object:
        """End what is past its deadline at `now` (monotonic s); called several times a second on the loop."""
        ...
