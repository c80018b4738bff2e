"""From a delivery to a job: what it says, what it must wait for, and whether it may run at all."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec
import structlog

from botmatrix.bus.envelope import Envelope, decode_envelope
from botmatrix.bus.lanes import Delivery, Settlement
from botmatrix.errors import BadEnvelope
from botmatrix.skills.model import SkillCall, decode_call
from botmatrix.worker.handler import Handler
from botmatrix.worker.hold import Hold
from botmatrix.worker.job import Job
from botmatrix.worker.queues import SerialQueues
from botmatrix.worker.slots import Slots
from botmatrix.worker.tally import Tally
from botmatrix.worker.tracing import Tracing

log = structlog.get_logger("worker.intake")

SUSPECT, POISON = 2, 3
"""Worker deaths with an entry in memory from which on it runs alone, and is not run at all."""

_event = msgspec.json.Decoder(dict[str, Any])


class Intake:
    """Turns deliveries into jobs; one that can't become a job is a dead letter with its reason."""

    def __init__(self, handler: Handler, queues: SerialQueues, slots: Slots, tally: Tally, tracing: Tracing) -> None:
        self._handler, self._queues, self._slots = handler, queues, slots
        self._tally, self._tracing = tally, tracing

    def accept(self, hold: Hold, deliveries: Iterable[Delivery]) -> None:
        """Queue what was read, in its order."""
        for delivery in deliveries:
            hold.entries.add(delivery.entry_id)
            deaths = hold.deaths.get(delivery.entry_id, 0) if hold.deaths else 0
            try:
                job = self._job(hold, delivery, deaths)
            except BadEnvelope as error:
                self._bury(hold, delivery, error.reason)
            else:
                self._queues.add(job)
        self._slots.kick()

    def drop(self, hold: Hold) -> None:
        """Forget what of a lane has not started."""
        hold.forget([job.delivery.entry_id for job in self._queues.drop(hold)])

    def _job(self, hold: Hold, delivery: Delivery, deaths: int) -> Job:
        if deaths >= POISON:
            raise BadEnvelope("worker_died")
        try:
            envelope = decode_envelope(delivery.payload)
        except BadEnvelope:
            if (call := decode_call(delivery.payload)) is None:
                raise
            return _called(call, hold, delivery, alone=deaths >= SUSPECT)
        try:
            event = _event.decode(envelope.event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadEnvelope("undecodable") from error
        key = self._handler.serial_key(envelope, event)
        return Job(hold, delivery, envelope, event, key, alone=deaths >= SUSPECT)

    def _bury(self, hold: Hold, delivery: Delivery, reason: str) -> None:
        log.error("an entry can't be handled", lane=hold.lane.name, entry=delivery.entry_id.decode(), reason=reason)
        self._tally.dead += 1
        self._tracing.buried(hold.lane.name, delivery.payload, reason, time.time())
        hold.settle(Settlement(delivery.entry_id, "", 0, dead=reason, payload=delivery.payload))


def _called(call: SkillCall, hold: Hold, delivery: Delivery, *, alone: bool) -> Job:
    """A job for what is no event: a skill is called."""
    envelope = Envelope(call.execution_id, "", "", "", 0, int(time.time() * 1000), msgspec.Raw(b"{}"))
    job = Job(hold, delivery, envelope, {}, f"skill_call|{delivery.entry_id.decode()}", alone=alone)
    job.call = call
    return job
