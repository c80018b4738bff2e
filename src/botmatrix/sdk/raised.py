"""What a plugin's code raises stays with the plugin, also `SystemExit` and whatever else would end its worker."""

from __future__ import annotations

import asyncio


def must_leave(error: BaseException) -> bool:
    """Whether it is not the plugin's own: this task was asked to end, or is thrown away."""
    if isinstance(error, asyncio.CancelledError):  # else the plugin awaited something that was cancelled
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    return isinstance(error, GeneratorExit)
