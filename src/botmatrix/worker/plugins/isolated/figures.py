"""What is counted of one isolated plugin, for lists and for `/status`."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import psutil

from botmatrix.worker.plugins.isolated import guard

MOST_LOOKED_AT = 500
"""Threads whose children are looked for: a plugin may have more, but not the worker's time."""


class State(StrEnum):
    """Where the process of a plugin stands."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    """Crashed; started again after a pause."""
    QUARANTINED = "quarantined"
    """Crashed too often; not started again until it is loaded anew."""
    STOPPED = "stopped"


@dataclass(slots=True)
class Figures:
    """`lines`: bad ones by reason. `refused`: actions by name."""

    state: State = State.STARTING
    pid: int = 0
    events: int = 0
    timeouts: int = 0
    restarts: int = 0
    log_lines_dropped: int = 0
    error: str = ""
    lines: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def now(self) -> dict[str, Any]:
        """All of it, with `memory` in bytes, of the process and all that it started."""
        return {**asdict(self), "lines": dict(self.lines), "refused": dict(self.refused), "memory": _memory(self.pid)}


def _memory(pid: int) -> int:
    """Of all below the guard. Linux tells it at once; psutil reads of every process of the machine, whose it is."""
    if not pid:
        return 0
    if os.path.exists(f"/proc/{pid}/task/{pid}/children"):
        return sum(map(guard.resident, guard.children(pid, most=MOST_LOOKED_AT)))
    try:
        return sum(process.memory_info().rss for process in psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return 0
