"""Reading a frame whole: what the fast reader of `session.py` turns to when a frame is unusual or broken."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from botmatrix.errors import BadFrame
from botmatrix.onebot.event import Event
from botmatrix.onebot.ids import group_id_text, id_text
from botmatrix.onebot.v11 import DETAIL_FIELD

_decode = msgspec.json.Decoder().decode

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def load_object(payload: bytes) -> dict[str, Any]:
    """The frame as a dict. Raises `BadFrame` (`bad_utf8`, `bad_json`, `bad_number`, `too_deep`,
    `not_an_object`).
    """
    try:
        payload.decode()
        frame = _decode(payload)
    except UnicodeDecodeError:
        raise BadFrame("bad_utf8") from None
    except RecursionError:
        raise BadFrame("too_deep") from None
    except msgspec.ValidationError:
        raise BadFrame("bad_number") from None
    except msgspec.DecodeError:
        raise BadFrame("bad_json") from None
    if not isinstance(frame, dict):
        raise BadFrame("not_an_object")
    return frame


def read_event(frame: dict[str, Any], post_type: str, raw: bytes) -> Event:
    """The event in a decoded frame; text and time of a wrong type count as absent. Raises
    `BadFrame("bad_id")`.
    """
    return Event(
        post_type=post_type,
        detail_type=_text(frame.get(DETAIL_FIELD[post_type])),
        sub_type=_text(frame.get("sub_type")),
        self_id=id_text(frame.get("self_id")),
        user_id=id_text(frame.get("user_id")),
        group_id=group_id_text(frame.get("group_id")),
        message_id=id_text(frame.get("message_id")),
        time=_seconds(frame.get("time")),
        raw=raw,
    )


def mend_surrogates(payload: bytes) -> bytes:
    r"""The frame with each half of a surrogate pair (`\ud83d` alone) replaced by U+FFFD.

    JavaScript clients send such halves when somebody's nickname was cut in the middle of an emoji. No
    strict reader takes them, and without this nothing that this person says would arrive.
    """
    if b"\\u" not in payload:
        return payload
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], payload)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> int:
    if type(value) is int and 0 <= value < 2**53:
        return value
    return int(value) if type(value) is float and 0 <= value < 2**53 else 0
