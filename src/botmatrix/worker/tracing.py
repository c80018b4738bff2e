"""What a worker reports of the events it handled: of traced ones always, of others when they failed."""

from __future__ import annotations

from functools import partial

from botmatrix.bus.envelope import Envelope, decode_envelope
from botmatrix.bus.event_id import is_traced
from botmatrix.bus.trace import TraceLog
from botmatrix.bus.trace_making import heard
from botmatrix.bus.trace_parts import Ran
from botmatrix.errors import BadEnvelope
from botmatrix.worker.job import Job
from botmatrix.worker.outcome import Dead, Done, Outcome


class Tracing:
    """The reports of one worker."""

    def __init__(self, worker_id: str, trace_log: TraceLog) -> None:
        self._worker, self._log = worker_id, trace_log

    def ran(self, job: Job, outcome: Outcome, started: float, ended: float) -> None:
        """A job ran, from `started` to `ended` (unix s)."""
        envelope = job.envelope
        if not is_traced(envelope.id) and not isinstance(outcome, Dead):
            return
        part = self._part(envelope, job.hold.lane.name, started, ended)
        part.steps = outcome.steps
        if isinstance(outcome, Done):
            part.actions, part.quiet = len(outcome.actions), outcome.quiet
        else:
            part.outcome = "dead" if isinstance(outcome, Dead) else "retry"
            part.reason = outcome.reason[:500]
        self._report(envelope, part)

    def buried(self, lane: str, payload: bytes, reason: str, now: float) -> None:
        """An entry was given up before it could run, at `now` (unix s)."""
        try:
            envelope = decode_envelope(payload)
        except BadEnvelope:
            return
        part = self._part(envelope, lane, now, now)
        part.outcome, part.reason = "dead", reason
        self._report(envelope, part)

    def _part(self, envelope: Envelope, lane: str, started: float, ended: float) -> Ran:
        return Ran(envelope.id, envelope.t, self._worker, lane, int(started * 1000), int(ended * 1000), "done")

    def _report(self, envelope: Envelope, part: Ran) -> None:
        if not is_traced(envelope.id):  # the nexus has reported nothing of it
            size = memoryview(envelope.event).nbytes
            self._log.put(partial(heard, envelope, envelope.t, part.lane), size)
        self._log.put(lambda: part)
