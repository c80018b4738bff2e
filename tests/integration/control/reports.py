"""Reports of events, put on the stream as the parts of the matrix do."""

from __future__ import annotations

import time
from copy import copy
from functools import partial
from typing import Any

from botmatrix.bus.client import Client
from botmatrix.bus.event_id import EventIds
from botmatrix.bus.keys import Keys
from botmatrix.bus.trace import TraceLog
from botmatrix.bus.trace_parts import Acted, Heard, Part, Ran, Step

KEYS = Keys()
IDS = EventIds()
BOT = "qq:10001"


def now_ms() -> int:
    return int(time.time() * 1000)


def heard(text: str = "hello", *, ago: float = 0.0, user: str = "123", **more: Any) -> Heard:
    """A message in a group, so many seconds ago."""
    t = now_ms() - int(ago * 1000)
    ids = IDS if not ago else EventIds()
    part = Heard(ids.next(t, traced=True), t, BOT, "group:456", "n1.00000000", t + 1, "message.group", user, "456")
    part.message_id, part.text, part.lane = "9", text, "w1"
    for name, value in more.items():
        setattr(part, name, value)
    return part


def ran(part: Heard, *steps: Step, **more: Any) -> Ran:
    """A worker handled it 2 ms after it was received, within 3 ms."""
    ran = Ran(part.id, part.t, "w1", "w1", part.t + 2, part.t + 5, "done", steps=list(steps))
    for name, value in more.items():
        setattr(ran, name, value)
    return ran


def acted(part: Heard, state: str = "DONE", **more: Any) -> Acted:
    """Its answer."""
    acted = Acted(part.id, f"a-{part.id}", BOT, "send_msg", part.t + 5, part.t + 6, part.t + 9, state)
    acted.conv, acted.text = part.conv, "the answer"
    for name, value in more.items():
        setattr(acted, name, value)
    return acted


async def report(url: str, *parts: Part) -> None:
    """Put parts on the stream."""
    trace_log = TraceLog(Client(url, name="reports"), KEYS)
    for part in parts:
        trace_log.put(partial(copy, part))
    assert await trace_log.flush()
    await trace_log.close()
