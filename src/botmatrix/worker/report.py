"""What a worker says of itself: to the presence hash, to `/status`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from botmatrix.skills.model import Capability, encode
from botmatrix.usage import Usage
from botmatrix.version import VERSION
from botmatrix.worker.drain import Drain
from botmatrix.worker.incarnation import machine
from botmatrix.worker.options import Options
from botmatrix.worker.tally import Tally


class Report:
    """The state of one worker in words. `plugins` gives the ids of those that are loaded, `details` all."""

    def __init__(self, inc: str, options: Options, tally: Tally, drain: Drain) -> None:
        self._inc, self._options, self.tally, self.drain = inc, options, tally, drain
        self._started = time.time()
        self._usage = Usage()
        self.plugins: Callable[[], Sequence[str]] = tuple
        self.details: Callable[[], Sequence[Mapping[str, Any]]] = tuple
        self.capabilities: Callable[[], list[Capability]] | None = None
        """None while the skill system is off: then nothing is said of skills."""

    def presence(self) -> dict[str, str]:
        """The presence hash (docs/wire.md): all values text, times in ms, `started` in unix seconds."""
        return {
            "transport": "stream",
            "pool": self._options.pool,
            "version": VERSION,
            "incarnation": self._inc,
            "machine": machine(),
            "pid": str(os.getpid()),
            "started": f"{self._started:.3f}",
            "concurrency": str(self._options.concurrency),
            "plugins": str(len(self.plugins())),
            "draining": "1" if self.drain.asked() else "0",
            "enable_skill": str(self.capabilities is not None).lower(),
            **self._skills(),
            **self._usage.fields(),
            **self.tally.as_fields(),
        }

    def _skills(self) -> dict[str, str]:
        if self.capabilities is None:
            return {}
        found = self.capabilities()
        return {"skills": ",".join(one.name for one in found), "capabilities": encode(found).decode()}

    def plugin_list(self) -> bytes:
        """Every plugin with its state, JSON; of one in a process of its own what is known of that too."""
        return msgspec.json.encode(list(self.details()))

    def status(self) -> dict[str, Any]:
        """For people: `worker`, `version`, `uptime` (s), `plugins` (ids), and the counters."""
        return {
            "worker": self._options.worker_id,
            "version": VERSION,
            "uptime": time.time() - self._started,
            "plugins": list(self.plugins()),
            "in_flight": self.tally.in_flight,
            "handled": self.tally.handled,
            "dead": self.tally.dead,
            "retried": self.tally.retried,
            "fenced": self.tally.fenced,
            **{name: round(ms, 3) for name, ms in self.tally.times().items()},
        }
