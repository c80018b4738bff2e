"""The actions of one link that wait for their answers."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from botmatrix.onebot.action import ActionResponse

log = logging.getLogger(__name__)

OnAnswer = Callable[[ActionResponse | None], None]

MAX_UNANSWERED = 1024
MAX_LATE = 256
"""Actions whose time is over and whose late answer is still of interest."""


class Calls:
    """Echo -> who waits, and until when.

    Each `OnAnswer` is called once; one whose time passed (None) is called again if its answer comes after all.
    """

    __slots__ = ("_late", "_next_deadline", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[float, OnAnswer]] = {}
        self._late: dict[str, OnAnswer] | None = None
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

    def is_waiting(self, echo: str) -> bool:
        """Whether somebody waits for the answer to this echo."""
        return echo in self._waiting

    def answer(self, echo: str, response: ActionResponse) -> bool:
        """Hand the answer over. False: nobody waits for this echo."""
        waiter = self._waiting.pop(echo, None)
        if waiter is None:
            return False
        waiter[1](response)
        return True

    def answer_late(self, echo: str, response: ActionResponse) -> bool:
        """Hand over an answer after its time. False: nobody waited for this echo, or it was answered."""
        on_answer = self._late.pop(echo, None) if self._late else None
        if on_answer is None:
            return False
        on_answer(response)
        return True

    def expire(self, now: float) -> int:
        """Tell everyone whose time is over that no answer came; how many they were."""
        if now < self._next_deadline:
            return 0
        late = [echo for echo, (deadline, _) in self._waiting.items() if deadline <= now]
        self._remember(late)
        self._give_up(late)
        self._next_deadline = min((deadline for deadline, _ in self._waiting.values()), default=math.inf)
        return len(late)

    def end(self) -> int:
        """The link is gone: tell everyone that no answer will come; how many they were."""
        waiting = list(self._waiting)
        self._give_up(waiting)
        return len(waiting)

    def _remember(self, echoes: list[str]) -> None:
        if self._late is None:
            self._late = {}
        for echo in echoes:
            self._late[echo] = self._waiting[echo][1]
        while len(self._late) > MAX_LATE:
            del self._late[next(iter(self._late))]

    def _give_up(self, echoes: list[str]) -> None:
        for echo in echoes:
            waiter = self._waiting.pop(echo, None)
            if waiter is None:
                continue
            try:
                waiter[1](None)
            except Exception:
                log.exception("whoever waited for an action could not take its end")
