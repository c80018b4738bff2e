"""Tasks without which a process is not what it says it is."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import structlog

log = structlog.get_logger("vital")


def must_not_end(task: asyncio.Task[Any]) -> None:
    """For `add_done_callback`: a part that ends by itself is a defect; end the process, it is started again."""
    if task.cancelled():
        return
    log.critical("a part of this process has ended", part=task.get_name(), exc_info=task.exception())
    signal.raise_signal(signal.SIGTERM)
