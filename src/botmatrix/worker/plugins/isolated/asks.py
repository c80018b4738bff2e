"""Questions that plugins have asked people: who is waited for, and by whom.

The event that led to a question stays unsettled until its handler ends, so its conversation stays on this worker, and
when the worker dies the event runs again elsewhere and asks anew, without saying the question twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MOST = 32
"""Questions that may be open at once in a worker: each keeps a place in which an event could be handled."""

Event = dict[str, Any]
Deliver = Callable[[Event, str], Awaitable[None]]


class Ask:
    """One open question. `deliver` gets the event that answers it, and that event's id."""

    __slots__ = ("deadline", "deliver", "expected")

    def __init__(self, deliver: Deliver, deadline: float) -> None:
        self.deliver, self.deadline = deliver, deadline
        self.expected = ""
        """Id of the event that will answer it, known from the moment it is read from the lane."""


def asked(bot: str, event: Mapping[str, Any]) -> str:
    """Whom a question is put to: one person in one conversation with one bot."""
    group = event.get("group_id")
    return f"{bot}|{f'group:{group}' if group else 'private'}|{event.get('user_id')}"


class Asks:
    """The open questions of one worker."""

    def __init__(self) -> None:
        self._open: dict[str, Ask] = {}

    def open(self, whom: str, deliver: Deliver, timeout: float) -> Ask | None:
        """Wait for somebody's next message. None when too many are waited for, or this person is asked already."""
        if len(self._open) >= MOST or whom in self._open:
            return None
        ask = Ask(deliver, asyncio.get_running_loop().time() + timeout)
        self._open[whom] = ask
        return ask

    def close(self, whom: str, ask: Ask) -> None:
        """Wait no more."""
        if self._open.get(whom) is ask:
            del self._open[whom]

    def expects(self, bot: str, event: Mapping[str, Any], event_id: str) -> bool:
        """Whether this message will answer a question; the first that is read does."""
        if not self._open or event.get("post_type") != "message":
            return False
        ask = self._open.get(asked(bot, event))
        if ask is None or ask.expected not in ("", event_id):
            return False
        ask.expected = event_id
        return True

    def take(self, bot: str, event: Mapping[str, Any], event_id: str) -> Ask | None:
        """The question that this event answers, which is open no more."""
        if not self._open or not self.expects(bot, event, event_id):
            return None
        return self._open.pop(asked(bot, event))
