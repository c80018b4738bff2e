"""The watchdog, on this thread as the one that blocks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from botmatrix.worker.watchdog import INTERRUPTIONS, Watchdog


class Interrupted(BaseException):
    """What the watchdog raises here."""


@contextmanager
def watching(*, plugin: bool, interrupt_after: float = 0.1) -> Iterator[Watchdog]:
    """A watchdog that takes this thread for a plugin, or not."""

    def blame(frame: FrameType | None) -> Interrupted | None:
        return Interrupted() if plugin and frame is not None else None

    dog = Watchdog(blame, interrupt_after=interrupt_after, exit_after=3600, every=0.02)
    dog.start()
    try:
        yield dog
    finally:
        dog.stop()


def test_a_plugin_that_sleeps_is_interrupted() -> None:
    started = time.monotonic()
    with watching(plugin=True), pytest.raises(Interrupted):
        time.sleep(10)
    assert time.monotonic() - started < 5


def test_a_plugin_that_computes_is_interrupted() -> None:
    with watching(plugin=True), pytest.raises(Interrupted):
        _compute()


def test_an_expression_that_never_ends_and_keeps_the_interpreters_lock_is_interrupted() -> None:
    started = time.process_time()
    with watching(plugin=True, interrupt_after=0.5), pytest.raises(Interrupted):
        re.search(r"^(a+)+$", "a" * 60 + "b")
    assert time.process_time() - started < 0.9, "the watchdog's first turn was not enough"


def test_what_is_no_plugin_is_left_alone() -> None:
    with watching(plugin=False):
        time.sleep(0.3)


def test_beats_keep_it_quiet() -> None:
    with watching(plugin=True, interrupt_after=0.5) as dog:
        for _ in range(20):
            time.sleep(0.05)
            dog.beat()


def test_a_plugin_that_swallows_interruptions_gets_no_more_of_them() -> None:
    swallowed = 0
    with watching(plugin=True):
        deadline = time.monotonic() + 0.8
        while time.monotonic() < deadline:
            try:
                time.sleep(deadline - time.monotonic())
            except Interrupted:
                swallowed += 1
    assert swallowed == INTERRUPTIONS


def _compute() -> None:
    while True:
        pass
