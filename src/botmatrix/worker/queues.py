"""What runs next: strictly one after another inside a serial key, freely across keys. Pure: no await, no clock."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from botmatrix.worker.hold import Hold
from botmatrix.worker.job import Job


class Listener(Protocol):
    """What waits for a job of a busy key."""

    @property
    def hold(self) -> Hold:
        """The lane that it comes from."""
        ...

    def wants(self, job: Job) -> bool:
        """Whether this is the one."""
        ...

    def take(self, job: Job) -> None:
        """Here it is: it is in no queue any more."""
        ...

    def lose(self) -> None:
        """The lane was lost: it will not come."""
        ...


class SerialQueues:
    """The jobs that were read and have not ended.

    A key is busy from the moment one of its jobs is ready until its last job has ended. A job marked `alone` starts
    when nothing else runs, and nothing starts before it has ended.
    """

    def __init__(self) -> None:
        self.running = 0
        self._ready: deque[Job] = deque()
        self._behind: dict[str, deque[Job] | None] = {}
        self._alone = False
        self._listeners: dict[str, Listener] = {}

    def add(self, job: Job) -> None:
        """Append a job to its key."""
        if job.key not in self._behind:
            self._behind[job.key] = None
            self._make_ready(job)
            return
        listener = self._listeners.get(job.key)
        if listener is not None and listener.wants(job):
            listener.take(job)
            return
        queue = self._behind[job.key]
        if queue is None:
            queue = self._behind[job.key] = deque()
        queue.append(job)

    def take(self) -> Job | None:
        """The next job to start; None when none may start now."""
        if not self._ready or self._alone:
            return None
        if self._ready[0].alone:
            if self.running:
                return None
            self._alone = True
        self.running += 1
        return self._ready.popleft()

    def startable(self) -> bool:
        """Whether `take` would give a job."""
        return bool(self._ready) and not self._alone and not (self._ready[0].alone and self.running)

    def done(self, job: Job) -> None:
        """A job that was taken has ended: the next of its key is ready."""
        self._stop(job)
        self._advance(job.key)

    def sleep(self, job: Job) -> None:
        """A job that was taken will be tried again: its key stays busy, its slot is free."""
        self._stop(job)

    def pause(self, job: Job) -> None:
        """A job that was taken waits for something outside: its key stays busy, its slot is free, others may run."""
        self._end(job)
        job.alone = False
        job.hold.park()

    def resume(self, job: Job) -> None:
        """What it waited for is there, or not to come."""
        self.running += 1
        job.hold.unpark()

    def listen(self, key: str, listener: Listener) -> Job | None:
        """Give the next job of a busy key that the listener wants to it; one that waits already is returned."""
        if key in self._listeners:
            raise RuntimeError("one question at a time")
        queue = self._behind[key]
        found = next((job for job in queue or () if listener.wants(job)), None)
        if queue and found is not None:
            queue.remove(found)
        else:
            self._listeners[key] = listener
        return found

    def put_back(self, job: Job) -> None:
        """A job that a listener took and nobody has use for: it is the next of its busy key."""
        queue = self._behind[job.key]
        if queue is None:
            queue = self._behind[job.key] = deque()
        queue.appendleft(job)

    def unlisten(self, key: str) -> None:
        """Nobody listens any more."""
        del self._listeners[key]

    def wake(self, job: Job) -> bool:
        """A sleeping job is ready again, before all others. False: its lane was lost meanwhile, so it made way."""
        if job.hold.lost:
            self._advance(job.key)
            return False
        job.hold.started()
        self._ready.appendleft(job)
        return True

    def drop(self, hold: Hold) -> list[Job]:
        """Forget the jobs of a lane that have not started; returns them."""
        dropped: list[Job] = []
        for listener in self._listeners.values():
            if listener.hold is hold:
                listener.lose()
        for queue in self._behind.values():
            if queue:
                dropped += (job for job in queue if job.hold is hold)
                kept = [job for job in queue if job.hold is not hold]
                queue.clear()
                queue.extend(kept)
        ready = [job for job in self._ready if job.hold is hold]
        self._ready = deque(job for job in self._ready if job.hold is not hold)
        for job in ready:
            hold.stopped()
            self._advance(job.key)
        return dropped + ready

    def _make_ready(self, job: Job) -> None:
        job.hold.started()
        self._ready.append(job)

    def _stop(self, job: Job) -> None:
        self._end(job)
        job.hold.stopped()

    def _end(self, job: Job) -> None:
        self.running -= 1
        if job.alone:
            self._alone = False

    def _advance(self, key: str) -> None:
        queue = self._behind[key]
        if queue:
            self._make_ready(queue.popleft())
        else:
            del self._behind[key]
