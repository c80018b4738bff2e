"""How the handling of one event ended: a value, settled in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.trace_parts import Step


@dataclass(frozen=True, slots=True)
class Done:
    """Handled. The actions leave with the acknowledgement, in their order, at most once.

    For the trace, as in the other outcomes: `steps`, what ran; here also `quiet`: why nothing did.
    """

    actions: list[ActionEntry] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list, compare=False)
    quiet: str = field(default="", compare=False)
    result: bytes = b""
    """What a skill call came to (JSON); it is reported in the step that acknowledges the call."""


@dataclass(frozen=True, slots=True)
class Retry:
    """To be handled again after a while, on purpose; until then its serial key waits (at most 30 s in all)."""

    after: timedelta
    reason: str
    steps: list[Step] = field(default_factory=list, compare=False)


@dataclass(frozen=True, slots=True)
class Dead:
    """Given up: the event becomes a dead letter with this reason. Its actions still leave, at most once."""

    reason: str
    actions: list[ActionEntry] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list, compare=False)


Outcome: TypeAlias = Done | Retry | Dead
