"""What `up` started, written down, so that the next `up` finds what a kill -9 left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import Any

import psutil

from botmatrix.config import Home
from botmatrix.embedded.process import Program, kill_group

_SAME_START = 2.0
"""Seconds by which the start time of one process may differ between two looks at it."""


class Journal:
    """`HOME/run/children.json`: name, process number and start time of each child that runs."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.run / "children.json"
        self._entries: dict[str, dict[str, Any]] = {}

    def started(self, program: Program, pid: int) -> None:
        """A child runs."""
        with contextlib.suppress(psutil.Error):
            begun = psutil.Process(pid).create_time()
            self._entries[program.name] = {"pid": pid, "started": begun, "signal": int(program.stop_signal)}
            self._write()

    def ended(self, name: str) -> None:
        """It has ended."""
        if self._entries.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # a full disk must not stop what runs
            self._home.write_private(self._path, json.dumps(self._entries))

    def stop_leftovers(self, grace: float = 5.0) -> list[str]:
        """End what an earlier `up` left running: asked first, then killed. Returns their names. Blocks."""
        found = self._leftovers()
        for process, entry in found.values():
            with contextlib.suppress(psutil.Error):
                process.send_signal(int(entry.get("signal", signal.SIGTERM)))
        _, alive = psutil.wait_procs([process for process, _ in found.values()], timeout=grace)
        for process in alive:
            kill_group(process.pid)
        psutil.wait_procs(alive, timeout=5)
        self._path.unlink(missing_ok=True)
        return list(found)

    def _leftovers(self) -> dict[str, tuple[psutil.Process, dict[str, Any]]]:
        found = {}
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for name, entry in json.loads(self._path.read_text()).items():
                with contextlib.suppress(psutil.Error, KeyError, TypeError):
                    process = psutil.Process(int(entry["pid"]))
                    same = abs(process.create_time() - float(entry["started"])) < _SAME_START
                    if same and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                        found[name] = (process, entry)
        return found
