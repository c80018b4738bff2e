"""Handlers that wait for a person's next message.

The event that is being handled stays unsettled meanwhile, and so does each message that answers it: when the worker
dies, whoever reads the lane on gets all of them again in their order, the handler runs again, and each question finds
its answer. Only where a question stands among the entries of the lane is written down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import structlog

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.lanes import Lanes
from botmatrix.errors import EngineUnavailable
from botmatrix.sdk.ask import TooManyQuestions
from botmatrix.worker.hold import Hold
from botmatrix.worker.job import Job
from botmatrix.worker.outcome import Done
from botmatrix.worker.patience import patiently
from botmatrix.worker.plugins.runs import resting
from botmatrix.worker.queues import SerialQueues
from botmatrix.worker.slots import Slots
from botmatrix.worker.tracing import Tracing

log = structlog.get_logger("worker.dialogues")

MOST: Final = 2000
"""Questions of one lane that may be open at a time, with their answers: all of them are in memory."""
GRACE: Final = 5.0
"""Seconds for which a question that was asked before its worker died is waited for at least."""


class Dialogues:
    """What the handlers that ask are waiting for. `running`: the jobs that run, by event id."""

    def __init__(
        self, running: Mapping[str, Job], queues: SerialQueues, slots: Slots, lanes: Lanes, tracing: Tracing
    ) -> None:
        self._running, self._queues, self._slots, self._lanes = running, queues, slots, lanes
        self._tracing = tracing

    async def asking(self, event_id: str, ask_id: str) -> Question:
        """Say that a question is about to leave. Raises `EngineUnavailable`, `TooManyQuestions`."""
        job = self._running[event_id]
        if job.hold.parked >= MOST:
            raise TooManyQuestions
        after, elapsed = await self._lanes.asked(job.hold.lane, ask_id)
        return Question(self, job, ask_id, after, elapsed)

    async def wait(self, question: Question, timeout: float) -> Job | None:
        """The next message of the person after the question; None when none came in time."""
        if question.job.asking is None:
            question.job.asking = asyncio.Lock()
        with resting():
            await question.job.asking.acquire()  # another plugin asks the same person in the same event
        try:
            answer = await self._wait(question, timeout)
        finally:
            question.job.asking.release()
        if answer is not None:
            now = time.time()
            self._tracing.ran(answer, Done(quiet="answer"), now, now)
            await self._acquit(answer)
        return answer

    async def _wait(self, question: Question, timeout: float) -> Job | None:
        job, listener = question.job, Listener(question)
        await self._acquit(job)
        overdue = self._queues.listen(job.key, listener)
        if overdue is not None:
            return overdue
        try:
            with self._slots.lent(job), resting():
                await asyncio.wait([listener.answer], timeout=timeout)
        except asyncio.CancelledError:
            if listener.answer.done() and listener.answer.exception() is None:
                self._queues.put_back(listener.answer.result())
            raise
        finally:
            self._queues.unlisten(job.key)
        return listener.answer.result() if listener.answer.done() else None

    async def _acquit(self, job: Job) -> None:
        """Workers died with it in memory, but what happens while a person is waited for is not its doing."""
        if job.hold.deaths.pop(job.delivery.entry_id, 0):
            await patiently(lambda: self._lanes.acquit(job.hold.lane, job.delivery.entry_id), "acquit")


class Question:
    """One question of a handler (`sdk.services.Question`)."""

    def __init__(self, dialogues: Dialogues, job: Job, ask_id: str, after: bytes, elapsed: float) -> None:
        self._dialogues, self._ask_id, self._elapsed = dialogues, ask_id, elapsed
        self.job, self.after = job, _order(after)

    async def answer(self, timeout: float) -> tuple[Envelope, dict[str, Any]] | None:
        """The message that answers, within `timeout` s of the first time it was asked. Raises `EngineUnavailable`."""
        answers = self.job.answers
        if self._ask_id not in answers:
            left = max(timeout - self._elapsed, GRACE) if self._elapsed else timeout
            found = await self._dialogues.wait(self, left)
            if found is None:
                return None
            answers[self._ask_id] = found
            self.job.hold.parked += 1
        answer = answers[self._ask_id]
        return answer.envelope, answer.event


class Listener:
    """Waits for a job that answers a question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self.hold: Hold = question.job.hold
        self.answer: asyncio.Future[Job] = asyncio.get_running_loop().create_future()

    def wants(self, job: Job) -> bool:
        """Whether this is a message, said after the question."""
        if self.answer.done() or job.hold is not self.hold or job.event.get("post_type") != "message":
            return False
        return _order(job.delivery.entry_id) > self._question.after

    def take(self, job: Job) -> None:
        """Here it is."""
        self.answer.set_result(job)

    def lose(self) -> None:
        """The lane is another worker's: the handler runs again there."""
        if not self.answer.done():
            self.answer.set_exception(EngineUnavailable("the lane", "another worker reads it on"))


def _order(entry_id: bytes) -> tuple[int, int]:
    moment, _, number = entry_id.partition(b"-")
    return int(moment), int(number or 0)
