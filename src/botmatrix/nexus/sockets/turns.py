"""Messages of socket workers whose turn has not come (docs/limits.md): they wait in memory, for they need no Redis."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botmatrix.clock import Clock
from botmatrix.nexus.pace import Pace, Turn, turn_of

if TYPE_CHECKING:
    from botmatrix.nexus.sockets.asker import Question

MOST: Final = 10_000
"""Messages that may wait, of all bots together; what is over fails at once."""


class Turns:
    """Keeps to the same pace as what comes through Redis. `send` gets each message when its turn has come."""

    def __init__(self, clock: Clock, send: Callable[[Question], None]) -> None:
        self._clock, self._send = clock, send
        self._queues: dict[Turn, deque[Question]] = {}  # in the order in which they are served
        self.waiting = 0
        self.pace = Pace()

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return self.waiting >= MOST

    def must_wait(self, question: Question) -> bool:
        """Whether it has to wait; else it may be sent now, which counts as its turn."""
        if not (self.pace.is_on or self._queues) or not question.action.startswith("send_"):
            return False
        turn, now = turn_of(question), self._clock.monotonic()
        if turn in self._queues or self.pace.due(turn) > now:
            return True
        self.pace.take(turn, now)
        return False

    def add(self, question: Question) -> None:
        """Send it when it is its turn."""
        self._queues.setdefault(turn_of(question), deque()).append(question)
        self.waiting += 1

    def admit(self) -> None:
        """Send what may be sent now: each target in its order, and the targets of a bot one after another."""
        now = self._clock.monotonic()
        while due := [turn for turn in self._queues if self.pace.due(turn) <= now]:
            for turn in due:
                if self.pace.due(turn) <= now:  # its bot may have spoken to another target in this round
                    self._serve(turn, now)

    def _serve(self, turn: Turn, now: float) -> None:
        queue = self._queues.pop(turn)
        question = queue.popleft()
        if queue:
            self._queues[turn] = queue
        self.waiting -= 1
        self.pace.take(turn, now)
        self._send(question)
