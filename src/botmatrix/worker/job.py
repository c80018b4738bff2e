"""One delivery on its way through the worker."""

from __future__ import annotations

import asyncio
from typing import Any

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.lanes import Delivery
from botmatrix.skills.model import SkillCall
from botmatrix.worker.hold import Hold


class Job:
    """A readable delivery: what it says, what it must wait for, and whose lane it came from.

    `key`: jobs of one serial key run strictly one after another. `alone`: workers died with this entry, so nothing else
    runs while it does. `give_up_at`: when it stops being tried again (monotonic s), None before its first retry.
    `answers`: by the id of a question, the messages that answered it; they are settled with it. `rested`: for how long
    (s) its handler waited for them. `asking`: held by whoever waits for a person now. `call`: it is no event, but a
    skill is called.
    """

    __slots__ = (
        *("alone", "answers", "asking", "call", "delivery", "envelope", "event", "give_up_at", "hold", "key"),
        "rested",
    )

    def __init__(
        self, hold: Hold, delivery: Delivery, envelope: Envelope, event: dict[str, Any], key: str, *, alone: bool
    ) -> None:
        self.hold, self.delivery, self.envelope, self.event = hold, delivery, envelope, event
        self.key, self.alone = key, alone
        self.give_up_at: float | None = None
        self.answers: dict[str, Job] = {}
        self.rested = 0.0
        self.asking: asyncio.Lock | None = None
        self.call: SkillCall | None = None

    def leave(self) -> None:
        """Leave memory without being settled: the entry will be delivered again."""
        self.hold.parked -= len(self.answers)
        self.hold.forget([self.delivery.entry_id, *(job.delivery.entry_id for job in self.answers.values())])
