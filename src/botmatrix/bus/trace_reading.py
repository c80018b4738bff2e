"""The trace as it is read: what an event or an action said is taken out of its JSON here, by whoever wants to know.

Who reports has other things to do, so JSON of a usual size travels as it is.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from botmatrix.bus.trace_parts import Acted, Heard, Part
from botmatrix.onebot.plain import plain

READABLE: Final = 64 * 1024
"""Bytes of an event, or of what an action says, whose text is read; a longer one is recorded without it."""
_SHORT: Final = 4096
_DETAILS: Final = ("message_type", "notice_type", "request_type")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Event(msgspec.Struct, gc=False):
    """What a record needs of an event, whatever types the bot gives it."""

    post_type: Any = ""
    message_type: Any = ""
    notice_type: Any = ""
    request_type: Any = ""
    user_id: Any = ""
    group_id: Any = ""
    message_id: Any = ""
    message: Any = None
    raw_message: Any = None


class _Params(msgspec.Struct, gc=False):
    message_type: Any = None
    group_id: Any = None
    user_id: Any = None
    message: Any = None


class _Result(msgspec.Struct, gc=False):
    message_id: Any = None


_parts = msgspec.json.Decoder(list[Part])
_event = msgspec.json.Decoder(_Event)
_params = msgspec.json.Decoder(_Params)
_result = msgspec.json.Decoder(_Result)


def decode(payload: bytes) -> list[Part]:
    """The parts of one entry of the stream, read; nothing of what can't be read."""
    try:
        return [read(part) for part in _parts.decode(payload)]
    except _UNREADABLE:
        return []


def read(part: Part) -> Part:
    """The part itself, with what its JSON says in its own fields instead."""
    if isinstance(part, Heard) and part.event:
        describe_event(part, part.event)
        part.event = b""
    elif isinstance(part, Acted) and part.params:
        describe_action(part, part.params, part.result)
        part.params = part.result = b""
    return part


def describe_event(part: Heard, raw: bytes) -> None:
    """Fill in what an event says; nothing when it can't be read."""
    try:
        body = _event.decode(raw)
    except _UNREADABLE:
        return
    detail = next((word for name in _DETAILS if (word := _text(getattr(body, name)))), "")
    part.kind = ".".join(word for word in (_text(body.post_type), detail) if word)
    part.user, part.group, part.message_id = _text(body.user_id), _text(body.group_id), _text(body.message_id)
    part.group = "" if part.group == "0" else part.group
    part.text = plain(body.message if body.message is not None else body.raw_message)


def describe_action(part: Acted, params: bytes, result: bytes) -> None:
    """Fill in what an action says, where, and the platform's id of it."""
    try:
        said = _params.decode(params)
        done = _result.decode(result) if len(result) <= _SHORT and result[:1] == b"{" else _Result()
    except _UNREADABLE:
        return
    part.text = plain(said.message)
    part.conv = _conv(said)
    part.message_id = "" if done.message_id is None else str(done.message_id)[:128]


def _conv(said: _Params) -> str:
    if said.group_id and said.message_type != "private":
        return f"group:{str(said.group_id)[:64]}"
    return f"private:{str(said.user_id)[:64]}" if said.user_id else ""


def _text(value: Any) -> str:
    return str(value)[:128] if isinstance(value, str | int) and not isinstance(value, bool) else ""
