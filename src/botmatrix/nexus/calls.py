"""The actions of one link that wait for their answers."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from botmatrix.onebot.action import ActionResponse

log = logging.getLogger(__name__)

OnAnswer = Callable[[ActionResponse | None], None]

MAX_UNANSWERED = 1024


class Calls:
    """Echo -> who waits, and until when. Each `OnAnswer` is called exactly once."""

    __slots__ = ("_next_deadline", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[float, OnAnswer]] = {}
        self._next_deadline = math.inf

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether `MAX_UNANSWERED` actions wait already."""
        return len(self._waiting) >= MAX_UNANSWERED

    def add(self, echo: str, deadline: float, on_answer: OnAnswer) -> None:
        """Wait for this echo until `deadline` (monotonic)."""
        self._waiting[echo] = (deadline, on_answer)
        self._next_deadline = min(self._next_deadline, deadline)

    def answer(self, echo: str, response: ActionResponse) -> bool:
        """Hand the answer over. False: nobody waits for this echo."""
        waiter = self._waiting.pop(echo, None)
        if waiter is None:
            return False
        waiter[1](response)
        return True

    def expire(self, now: float) -> int:
        """Tell everyone whose time is over that no answer came; how many they were."""
        if now < self._next_deadline:
            return 0
        late = [echo for echo, (deadline, _) in self._waiting.items() if deadline <= now]
        self._give_up(late)
        self._next_deadline = min((deadline for deadline, _ in self._waiting.values()), default=math.inf)
        return len(late)

    def end(self) -> int:
        """The link is gone: tell everyone that no answer will come; how many they were."""
        waiting = list(self._waiting)
        self._give_up(waiting)
        return len(waiting)

    def _give_up(self, echoes: list[str]) -> None:
        for echo in echoes:
            waiter = self._waiting.pop(echo, None)
            if waiter is None:
                continue
            try:
                waiter[1](None)
            except Exception:
                log.exception("whoever waited for an action could not take its end")
