"""Words of OneBot v11, and what its rarer frames say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from botmatrix.errors import BadFrame
from botmatrix.onebot.ids import group_id_text, id_text

META_EVENT: Final = "meta_event"

DETAIL_FIELD: Final[Mapping[str, str]] = {
    "message": "message_type",
    "message_sent": "message_type",
    "notice": "notice_type",
    "request": "request_type",
    META_EVENT: "meta_event_type",
}
"""Post type -> the field that holds its detail type."""

NOT_EVENTS: Final = frozenset({"log"})
"""Post types of frames that some clients push and that are no events."""

MAX_GROUPS: Final = 5_000

_decode = msgspec.json.Decoder().decode


class Meta(msgspec.Struct, gc=False):
    """A lifecycle event or a heartbeat.

    `interval`: seconds until the next heartbeat as the client declares it, 0 when it does not. `healthy`:
    False when the client says that it is offline or not good. `platform`: `""` unless the frame names one.
    """

    kind: str
    sub_type: str
    interval: float
    healthy: bool
    platform: str


def read_meta(raw: bytes) -> Meta:
    """Read the raw bytes of a meta event. Fields of a wrong type count as absent."""
    frame: dict[str, Any] = _decode(raw)
    status = frame.get("status")
    return Meta(
        kind=_text(frame.get("meta_event_type")),
        sub_type=_text(frame.get("sub_type")),
        interval=_seconds(frame.get("interval")),
        healthy=not (isinstance(status, dict) and (status.get("online") is False or status.get("good") is False)),
        platform=_text(frame.get("platform")),
    )


def read_login_info(data: bytes) -> tuple[str, str]:
    """User id and nickname in the data of a `get_login_info` answer; each `""` when it isn't there."""
    info = _loads(data)
    if not isinstance(info, dict):
        return "", ""
    try:
        return id_text(info.get("user_id")), _text(info.get("nickname"))
    except BadFrame:
        return "", _text(info.get("nickname"))


def read_group_list(data: bytes) -> dict[str, str]:
    """Group id -> name in the data of a `get_group_list` answer, at most 5,000; what is no group is left
    out.
    """
    listed = _loads(data)
    groups: dict[str, str] = {}
    for item in listed[:MAX_GROUPS] if isinstance(listed, list) else ():
        if not isinstance(item, dict):
            continue
        try:
            group_id = group_id_text(item.get("group_id"))
        except BadFrame:
            continue
        if group_id:
            groups[group_id] = _text(item.get("group_name"))
    return groups


def _loads(data: bytes) -> object:
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _seconds(milliseconds: object) -> float:
    """At most a day; 0 for what is no duration."""
    if not isinstance(milliseconds, (int, float)) or isinstance(milliseconds, bool):
        return 0.0
    return milliseconds / 1000 if 0 < milliseconds <= 86_400_000 else 0.0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
