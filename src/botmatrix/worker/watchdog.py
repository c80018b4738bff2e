"""What happens when something blocks the event loop: the plugin is interrupted, or the worker ends."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

import structlog

log = structlog.get_logger("worker.watchdog")

INTERRUPT_AFTER, EXIT_AFTER, CHECK_EVERY = 5.0, 10.0, 0.25
EXIT_BLOCKED = 70
INTERRUPTIONS = 2
"""In a row without a beat: a handler is tried twice. A plugin that swallows them ends the worker."""
SIGNAL, STARVED_SIGNAL, CPU_SIGNAL = signal.SIGUSR2, signal.SIGPROF, signal.SIGVTALRM
STDERR = 2
MOST_YIELDS = 100
"""Of a millisecond each, before what blocks goes on, until the next signal."""

Blame = Callable[[FrameType | None], BaseException | None]
"""The exception to raise in a plugin whose frame is on the stack; None when it is no plugin that blocks."""


class Watchdog:
    """A thread that watches the beats of the event loop on the main thread.

    After `interrupt_after` s without a beat a signal interrupts the main thread, whose handler raises what `blame`
    gives for the frame it finds there: Python code of a plugin, also one that sleeps. After `exit_after` s without a
    beat or a (heeded) interruption the stack goes to the log and the process ends with 70; its lanes are read on by
    the next start or by other workers.

    C code that keeps the interpreter's lock stops this thread too. Then the kernel sends a signal (SIGPROF) after
    `interrupt_after` s of CPU time, and again until there was a check; where the code looks for signals, as that of
    regular expressions does, it waits for this thread then. And the kernel ends the process (SIGVTALRM, after the stack
    went to standard error) when it has used twice `exit_after` s of CPU time without a check.

    Time is counted in checks and in CPU time, not by the clock: a process that was stopped does not count as blocked.
    """

    def __init__(
        self,
        blame: Blame,
        *,
        interrupt_after: float = INTERRUPT_AFTER,
        exit_after: float = EXIT_AFTER,
        every: float = CHECK_EVERY,
    ) -> None:
        self._blame, self._every = blame, every
        self._interrupt_at, self._exit_at = round(interrupt_after / every), round(exit_after / every)
        self._patience, self._cpu_limit = interrupt_after, 2 * exit_after
        self._checked = self._computed = 0.0
        self._missed = 0
        self._interrupted = 0
        self._starved = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch; called on the main thread, by the loop that will beat."""
        signal.signal(SIGNAL, self._interrupt)
        signal.signal(STARVED_SIGNAL, self._make_way)
        faulthandler.register(CPU_SIGNAL, file=STDERR, all_threads=True, chain=True)
        self._passed()
        self._thread.start()

    def beat(self) -> None:
        """The loop lives."""
        self._missed = self._interrupted = 0

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.unregister(CPU_SIGNAL)
        signal.signal(SIGNAL, signal.SIG_DFL)
        signal.signal(STARVED_SIGNAL, signal.SIG_IGN)  # one may be on its way

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            self._missed += self._passed()
            if self._missed >= self._exit_at:
                self._exit()
            if self._missed >= self._interrupt_at and self._interrupted < INTERRUPTIONS:
                signal.pthread_kill(_main_thread(), SIGNAL)
            self._starved = False

    def _passed(self) -> int:
        """How many checks were due since the last one: several when this thread could not run."""
        now, computed = time.monotonic(), time.process_time()
        seconds = min(now - self._checked, computed - self._computed)
        self._checked, self._computed = now, computed
        signal.setitimer(signal.ITIMER_PROF, self._patience, self._every)
        signal.setitimer(signal.ITIMER_VIRTUAL, self._cpu_limit)
        if self._starved:  # so long by the kernel's count, which differs from ours by some hundredths
            return self._interrupt_at
        return min(max(1, round(seconds / self._every)), self._interrupt_at)

    def _make_way(self, _signal: int, _frame: FrameType | None) -> None:
        """On the main thread, which lets the watching one have its turn: others may take what is given up once."""
        self._starved = True
        # No event or lock to wait on: a signal may come on top of this one, and would find it held by this thread.
        for _ in range(MOST_YIELDS):
            time.sleep(0.001)
            if not self._starved:
                break

    def _interrupt(self, _signal: int, frame: FrameType | None) -> None:
        if self._missed >= self._interrupt_at and (error := self._blame(frame)) is not None:
            self._missed = 0
            self._interrupted += 1
            log.error(
                "a plugin blocked the worker and was interrupted",
                error=str(error),
                seconds=self._interrupt_at * self._every,
            )
            raise error

    def _exit(self) -> None:
        frame = sys._current_frames().get(_main_thread())
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        log.critical(
            "the event loop is blocked: this worker ends",
            seconds=self._missed * self._every,
            stack=stack,
            exit_code=EXIT_BLOCKED,
        )
        sys.stderr.flush()
        os._exit(EXIT_BLOCKED)


def _main_thread() -> int:
    return threading.main_thread().ident or 0
