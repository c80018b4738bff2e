"""Event ids: when, by whom, and whether the road of the event is written down.

24 hexadecimal digits: 8 for the second (unix time), 10 for the process, 5 that count within the second, and one flag:
`1` when the event is traced. So whoever meets an id, in any language, knows whether to report on it, and a search by
id looks into one month only.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

PATTERN: Final = r"[0-9a-f]{24}"
_ID: Final = re.compile(PATTERN)
_MOST: Final = 1 << 20
"""Ids of one process in one second; the next one borrows from the second after it."""


class EventIds:
    """Ids of one process: unique among all processes that ever ran, ascending."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(5)
        self._second = self._count = 0
        self._prefix = ""

    def next(self, now_ms: int, *, traced: bool) -> str:
        """A new id. A clock that goes back does not make ids that do."""
        second = now_ms // 1000
        if second > self._second or self._count >= _MOST:
            self._second = second = max(second, self._second + 1)
            self._prefix, self._count = f"{second:08x}{self._process}", 0
        self._count = count = self._count + 1
        return f"{self._prefix}{count - 1:05x}{'1' if traced else '0'}"


def is_event_id(text: str) -> bool:
    """Whether this can be the id of an event."""
    return _ID.fullmatch(text) is not None


def is_traced(event_id: str) -> bool:
    """Whether the road of this event is written down."""
    return event_id[-1:] == "1"


def second_of(event_id: str) -> int:
    """Unix time of an event id, in seconds. Raises `ValueError` for what is none."""
    if not is_event_id(event_id):
        raise ValueError("not an event id")
    return int(event_id[:8], 16)
