"""What the guard of a plugin's process sees of its family."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import pytest

from botmatrix.worker.plugins.isolated.guard import Waits, children, resident

DEEP = 60
CHAIN = f"""
import os, sys
for depth in range({DEEP}):
    if os.fork():
        os.wait()
        os._exit(0)
print("here", flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no /proc")


@contextmanager
def chain() -> Iterator[int]:
    """Each one the child of the one before it; their first."""
    argv = (sys.executable, "-S", "-c", CHAIN)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        yield first.pid
        first.communicate()


def test_a_family_may_be_deeper_than_calls_may_be() -> None:
    with chain() as first:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(len(inspect.stack()) + DEEP // 2)
        try:
            found = list(children(first))
        finally:
            sys.setrecursionlimit(limit)
        assert len(set(found)) == len(found) == DEEP
        assert all(resident(pid) > 0 for pid in found)
        assert len(list(children(first, most=5))) == 5


def test_who_mostly_sleeps_would_not_have_run_while_it_waited() -> None:
    before = Waits(1.0, 100, 10)
    assert Waits(1.4, 200, 15).in_vain(before) == 0
    assert Waits(1.4, 100, 15).in_vain(before) == pytest.approx(0.4)


def test_nobody_is_below_a_process_that_is_gone() -> None:
    with chain() as first:
        pass
    assert list(islice(children(first), 1)) == []
    assert resident(first) == 0
