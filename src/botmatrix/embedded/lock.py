"""One `up` per data folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator

from botmatrix.config import Home
from botmatrix.errors import BotMatrixError


class HomeTaken(BotMatrixError):
    """Another `botmatrix up` runs on this data folder."""


@contextlib.contextmanager
def hold(home: Home) -> Iterator[None]:
    """Own the data folder for as long as the block runs; the kernel gives it back even after kill -9.

    Raises `HomeTaken`, which says who has it and since when.
    """
    home.create()
    with open(home.run / "up.lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeTaken(_words(home, _holder(file.name))) from None
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "since": time.time()}))
        file.flush()
        yield


def is_held(home: Home) -> bool:
    """Whether an `up` runs on this data folder now."""
    try:
        with open(home.run / "up.lock", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _holder(path: str) -> dict[str, float]:
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
        return dict(json.load(file))
    return {}


def _words(home: Home, holder: dict[str, float]) -> str:
    pid = int(holder.get("pid", 0))
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.get("since", time.time())))
    who = f"process {pid}, since {since}" if pid else "another process"
    stop = f"stop it (Ctrl-C in its terminal, or: kill {pid})" if pid else "stop it"
    return f"BotMatrix already runs on {home.root} ({who}): {stop}, or choose another folder with --home"
