"""What the trace learns of socket workers: how an event ended there, and what they asked of bots here."""

from __future__ import annotations

import msgspec

from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.event_id import is_traced
from botmatrix.nexus.sockets.asker import Question
from botmatrix.nexus.sockets.worker import Open
from botmatrix.nexus.tracer import Tracer
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.serving import NO_ANSWER


class Reports:
    """Reports to the tracer; costs little when an event is not traced."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def event_over(self, worker_id: str, event: Open, how: str) -> None:
        """See `worker.Report`."""
        if not is_traced(event.event_id):
            return
        received, written = int(event.received * 1000), int(event.written * 1000)
        self._tracer.ran_by_socket(event.event_id, worker_id, received, written, how)

    def action_over(self, question: Question, response: ActionResponse | None, retcode: int, words: str) -> None:
        """See `Asker.on_end`."""
        if response is not None and response.ok and question.answers and not is_traced(question.answers):
            return
        asked = int(question.asked * 1000)
        entry = ActionEntry(
            bot=question.bot,
            aid="",
            action=question.action,
            params=msgspec.Raw(question.params or b"{}"),
            exp=0,
            eid=question.answers,
        )
        self._tracer.acted(b"%d-0" % asked, entry, asked, _end(response, retcode, words))


def _end(response: ActionResponse | None, retcode: int, words: str) -> tuple[str, int, str, bytes]:
    if response is None:
        return "UNKNOWN" if retcode == NO_ANSWER else "FAILED", retcode, words, b"null"
    said = response.message or response.wording
    return "DONE" if response.ok else "FAILED", response.retcode, said, bytes(response.data)
