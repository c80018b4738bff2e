"""Quick operations: what a bot that posts an event does with the answer (OneBot v11, "快速操作").

The answer to an event waits, as long as the bot's setting `quick` says, for a worker's `.handle_quick_operation` with
this event as its context. What comes too late goes to the bot's HTTP API under the same name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from botmatrix.onebot.event import Event

ACTIONS: Final = frozenset({".handle_quick_operation", ".handle_quick_operation_async"})
MAX_HELD: Final = 1024
"""Events of one bot whose answers wait."""

_GROUP: Final = frozenset(
    {"reply", "auto_escape", "at_sender", "delete", "kick", "reject_add_request", "ban", "ban_duration"}
)
_ALLOWED: Final = {
    ("message", "private"): frozenset({"reply", "auto_escape"}),
    ("message", "group"): _GROUP,
    ("request", "friend"): frozenset({"approve", "remark"}),
    ("request", "group"): frozenset({"approve", "reason"}),
}
"""Post type and detail type -> the operations that OneBot v11 knows there; all others have none."""

OnOperation = Callable[[bytes], None]
"""Takes the JSON object that answers the event, or `b""` when there is none."""


class _Context(Struct):
    post_type: str = ""
    message_id: int | str | None = None
    flag: int | str | None = None


class _Params(Struct):
    context: _Context
    operation: dict[str, Raw]


_decode_flag = msgspec.json.Decoder(_Context).decode
_decode_params = msgspec.json.Decoder(_Params).decode


class QuickDesk:
    """The events of one bot that wait for a quick operation, for at most `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held: dict[str, tuple[frozenset[str], OnOperation, asyncio.TimerHandle]] = {}

    def hold(self, event: Event, then: OnOperation) -> None:
        """Call `then` exactly once: now, when no operation is possible or wanted, else when it came or is too late."""
        allowed = _ALLOWED.get((event.post_type, event.detail_type))
        key = _key_of(event) if allowed is not None and self._seconds else ""
        if allowed is None or not key or key in self._held or len(self._held) >= MAX_HELD:
            then(b"")
            return
        timer = asyncio.get_running_loop().call_later(self._seconds, self._give_up, key)
        self._held[key] = (allowed, then, timer)

    def take(self, params: bytes) -> bool:
        """A worker's operation. False: nothing that waits is meant."""
        try:
            asked = _decode_params(params)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        held = self._held.pop(_key(asked.context), None)
        if held is None:
            return False
        allowed, then, timer = held
        timer.cancel()
        wanted: dict[str, Any] = {name: value for name, value in asked.operation.items() if name in allowed}
        then(msgspec.json.encode(wanted) if wanted else b"")
        return True

    def close(self) -> None:
        """Nobody waits any more."""
        for key in list(self._held):
            self._give_up(key)

    def _give_up(self, key: str) -> None:
        _, then, timer = self._held.pop(key)
        timer.cancel()
        then(b"")


def _key_of(event: Event) -> str:
    if event.post_type == "message":
        return f"message {event.message_id}" if event.message_id else ""
    try:
        return _key(_decode_flag(event.raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _key(context: _Context) -> str:
    """What tells an event from others of the same bot."""
    mark = context.message_id if context.post_type == "message" else context.flag
    return f"{context.post_type} {mark}" if mark is not None else ""
