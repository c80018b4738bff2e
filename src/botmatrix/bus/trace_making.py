"""The records of an event and of an action, as whoever has them reports them."""

from __future__ import annotations

from typing import Any, Final

from botmatrix.bus.envelope import ActionEntry, Envelope
from botmatrix.bus.trace_parts import Acted, Heard
from botmatrix.bus.trace_reading import READABLE, describe_action, describe_event

AS_IT_IS: Final = 4096
"""Bytes of JSON that travel unread; of longer ones only what they say."""
_WORDS: Final = 200


def heard(envelope: Envelope, at: int, lane: str = "", rule: str = "", **more: Any) -> Heard:
    """The record of an event, from its envelope; `more`: other fields of it."""
    part = Heard(envelope.id, envelope.t, envelope.bot, envelope.conv, envelope.nexus, at, lane=lane, rule=rule, **more)
    size = memoryview(envelope.event).nbytes
    if size <= AS_IT_IS:
        part.event = bytes(envelope.event)
    elif size <= READABLE:
        describe_event(part, bytes(envelope.event))
    return part


def acted(
    entry_id: bytes, action: ActionEntry, sent_ms: int, ended_ms: int, answer: tuple[str, int, str, bytes]
) -> Acted:
    """The record of an action that has ended; `answer`: state, retcode, words, data."""
    state, code, words, data = answer
    queued = int(entry_id.split(b"-")[0])
    part = Acted(action.eid, action.aid, action.bot, action.action, queued, sent_ms, ended_ms, state)
    part.code, part.words = code, words[:_WORDS]
    if action.action.startswith("send_"):
        _add_saying(part, bytes(action.params), data)
    return part


def _add_saying(part: Acted, params: bytes, data: bytes) -> None:
    if len(params) + len(data) <= AS_IT_IS:
        part.params, part.result = params, data
    else:
        describe_action(part, params if len(params) <= READABLE else b"{}", data)
