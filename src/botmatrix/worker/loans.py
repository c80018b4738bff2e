"""The slots of handlers that wait for something other than a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from botmatrix.worker.job import Job
from botmatrix.worker.slots import Slots


class Loans:
    """A handler that waits several times at once lends its slot once. `running`: the jobs that run, by event id."""

    def __init__(self, running: Mapping[str, Job], slots: Slots) -> None:
        self._running, self._slots = running, slots
        self._open: dict[str, tuple[AbstractContextManager[None], int]] = {}

    @contextmanager
    def lent(self, event_id: str) -> Iterator[None]:
        """Another slot works for the length of the block; what is no event here keeps its own."""
        if event_id not in self._open:
            job = self._running.get(event_id)
            if job is None:
                yield
                return
            loan = self._slots.lent(job)
            loan.__enter__()
            self._open[event_id] = loan, 0
        self._count(event_id, 1)
        try:
            yield
        finally:
            self._count(event_id, -1)

    def _count(self, event_id: str, more: int) -> None:
        loan, waits = self._open[event_id]
        self._open[event_id] = loan, waits + more
        if waits + more == 0:
            del self._open[event_id]
            loan.__exit__(None, None, None)
