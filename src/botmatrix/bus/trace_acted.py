"""The record of an action: what was said, where, and what the platform made of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.trace_parts import READABLE, Acted
from botmatrix.onebot.plain import plain

_SHORT: Final = 4096
_WORDS: Final = 200


class _Params(msgspec.Struct, gc=False):
    message_type: Any = None
    group_id: Any = None
    user_id: Any = None
    message: Any = None


class _Result(msgspec.Struct, gc=False):
    message_id: Any = None


_params = msgspec.json.Decoder(_Params)
_result = msgspec.json.Decoder(_Result)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def acted(
    entry_id: bytes, action: ActionEntry, sent_ms: int, ended_ms: int, answer: tuple[str, int, str, bytes]
) -> Acted:
    """The record of an action that has ended; `answer`: state, retcode, words, data."""
    state, code, words, data = answer
    queued = int(entry_id.split(b"-")[0])
    part = Acted(action.eid, action.aid, action.bot, action.action, queued, sent_ms, ended_ms, state)
    part.code, part.words = code, words[:_WORDS]
    if action.action.startswith("send_"):
        _describe(part, bytes(action.params), data)
    return part


def _describe(part: Acted, params: bytes, data: bytes) -> None:
    try:
        said = _params.decode(params) if len(params) <= READABLE else _Params()
        done = _result.decode(data) if len(data) <= _SHORT and data[:1] == b"{" else _Result()
    except _UNREADABLE:
        return
    part.text = plain(said.message)
    part.conv = _conv(said)
    part.message_id = "" if done.message_id is None else str(done.message_id)[:128]


def _conv(said: _Params) -> str:
    if said.group_id and said.message_type != "private":
        return f"group:{str(said.group_id)[:64]}"
    return f"private:{str(said.user_id)[:64]}" if said.user_id else ""
