"""What a plugin's code left running when it was let go: found by the modules that the code is in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

PATIENCE = 5.0
"""Seconds that cancelled tasks, and then threads, have to end."""


async def end_all(module: str) -> list[str]:
    """Cancel the tasks that run code of this module or below it; what did not end, tasks and threads, by name."""
    tasks = list(_tasks(module))
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=PATIENCE)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()  # nobody else will ask for it
    threads = list(_threads(module))
    if threads:
        await asyncio.to_thread(_join, threads)
    stayed = [f"task {task.get_name()}" for task in tasks if not task.done()]
    return stayed + [f"thread {thread.name}" for thread in threads if thread.is_alive()]


def _tasks(module: str) -> Iterator[asyncio.Task[Any]]:
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        if frame is not None and _is_of(frame.f_globals.get("__name__"), module):
            yield task


def _threads(module: str) -> Iterator[threading.Thread]:
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        if _is_of(getattr(target, "__module__", None), module) or _is_of(type(thread).__module__, module):
            yield thread


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE / len(threads))


def _is_of(name: object, module: str) -> bool:
    return isinstance(name, str) and (name == module or name.startswith(module + "."))
