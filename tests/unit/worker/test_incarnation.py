"""Telling starts of a worker apart, and whether an earlier one still runs."""

from __future__ import annotations

import os
import subprocess
import sys

from botmatrix.worker.incarnation import machine, new_incarnation, process_gone, worker_of


def test_an_incarnation_names_its_worker() -> None:
    first, second = new_incarnation("my.worker-1"), new_incarnation("my.worker-1")
    assert first != second
    assert worker_of(first) == worker_of(second) == "my.worker-1"
    assert worker_of("") == ""


def test_a_process_that_runs_is_not_gone() -> None:
    assert not process_gone(_presence(os.getpid()), "w.1")


def test_a_process_that_has_ended_is_gone_also_before_it_is_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process_gone(_presence(child.pid), "w.1")
    assert process_gone(_presence(child.pid), "w.1")


def test_other_machines_and_other_starts_prove_nothing() -> None:
    gone = 2**22 + 1
    assert process_gone(_presence(gone), "w.1")
    assert not process_gone(_presence(gone), "w.2")
    assert not process_gone({**_presence(gone), "machine": "elsewhere"}, "w.1")
    assert not process_gone({}, "w.1")


def _presence(pid: int) -> dict[str, str]:
    return {"incarnation": "w.1", "machine": machine(), "pid": str(pid)}
