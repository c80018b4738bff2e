"""The log of a plugin's process: bounded in length and rate, so that no plugin can fill the disk or the loop."""

from __future__ import annotations

import logging
from collections import deque

from botmatrix.clock import Clock
from botmatrix.worker.plugins.isolated.figures import Figures

PER_SECOND, BURST = 20.0, 200.0
SAY_EVERY = 5.0
LONGEST = 2000
TAIL = 10


class Tap:
    """Writes lines to the plugin's log as long as they are few; what is left out is counted and said."""

    def __init__(self, plugin: str, figures: Figures, clock: Clock) -> None:
        self._log = logging.getLogger(f"botmatrix.plugin.{plugin}")
        self._figures, self._clock = figures, clock
        self._left, self._filled = BURST, clock.monotonic()
        self._dropped, self._said = 0, self._filled
        self._tail: deque[str] = deque(maxlen=TAIL)

    def line(self, line: bytes) -> None:
        """One line that the plugin wrote."""
        now = self._clock.monotonic()
        self._left = min(BURST, self._left + (now - self._filled) * PER_SECOND)
        self._filled = now
        if self._left < 1:
            self._dropped += 1
            self._figures.log_lines_dropped += 1
            return
        self._left -= 1
        text = line[:LONGEST].decode("utf-8", "replace")
        self._tail.append(text)
        if self._dropped and now - self._said >= SAY_EVERY:
            self._log.warning("%d lines of its log were left out: more than %g a second", self._dropped, PER_SECOND)
            self._dropped, self._said = 0, now
        self._log.info("%s", text)

    @property
    def last(self) -> str:
        """The last thing it said, for an error message; lines of frames around a traceback are none."""
        said = (line.strip(" |+-") for line in reversed(self._tail))
        return next((line[:300] for line in said if line), "")
