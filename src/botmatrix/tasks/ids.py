"""Ids as people write them, in one form."""

from __future__ import annotations

from typing import Any, Final

from botmatrix.errors import BadFrame
from botmatrix.onebot import ids
from botmatrix.tasks.model import BadTask

_LONGEST_BOT: Final = 160


def id_text(field: str, value: Any) -> str:
    """The id of a group or person: a number or a text. Raises `BadTask`."""
    try:
        text = ids.group_id_text(value)
    except BadFrame:
        text = ""
    if not text or not text.isprintable():
        raise BadTask(f"{field}: must be an id, a number or a text")
    return text


def bot_key(value: Any) -> str:
    """`platform:self_id`; a bare id is one of QQ. Raises `BadTask`."""
    platform, mark, self_id = id_text("bot_id", value).partition(":")
    key = f"{platform.lower()}:{self_id}" if mark else f"qq:{platform}"
    if not all(key.partition(":")) or len(key) > _LONGEST_BOT:
        raise BadTask("bot_id: must be platform:self_id, as in qq:10001")
    return key


def onebot_id(text: str) -> int | str:
    """As OneBot has it: a number where it can be one."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else text
