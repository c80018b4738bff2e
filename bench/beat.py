"""Calls at exact times: a timer that the kernel makes readable, as a socket that something arrives at.

`asyncio.sleep` rounds to milliseconds, which is more than some of what is measured.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable
from typing import Final

_BEFORE: Final = 0.1
"""Seconds until the first call."""
_ABSOLUTE: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


class _Moment(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("period", _Moment), ("first", _Moment))


async def beats(count: int, rate: float, each: Callable[[int, float], None]) -> None:
    """Call `each(number, due)` so many times a second; `due` in seconds of `time.perf_counter`. Those that a busy loop
    is late for are called together. Linux only. Raises `OSError`."""
    first, period = time.perf_counter() + _BEFORE, 1 / rate
    rung, numbers = asyncio.Event(), iter(range(count))
    descriptor = _timer(first, period)

    def ring() -> None:
        (times,) = struct.unpack("Q", os.read(descriptor, 8))
        for _ in range(times):
            number = next(numbers, None)
            if number is None:
                return rung.set()
            each(number, first + number * period)

    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ring)
    try:
        await rung.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _timer(first: float, period: float) -> int:
    """A file descriptor of a timer (timerfd_create(2)); `time.perf_counter` is the monotonic clock on Linux."""
    descriptor = int(_libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    timer = _Timer(_moment(period), _moment(first))
    if descriptor < 0 or _libc.timerfd_settime(descriptor, _ABSOLUTE, ctypes.byref(timer), None):
        raise OSError(ctypes.get_errno(), "there is no exact timer here")
    return descriptor


def _moment(seconds: float) -> _Moment:
    return _Moment(int(seconds), int(seconds % 1 * 1e9))
