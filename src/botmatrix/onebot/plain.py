"""A message as one line of a history: its text, and a word for whatever is no text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from botmatrix.onebot import cq

LONGEST: Final = 1000
"""Characters that are kept."""
_MOST: Final = 200
"""Segments that are looked at."""


def plain(message: Any) -> str:
    """Text segments as they are, `@123` for an @, `[image]` for the rest; at most `LONGEST` characters. Never raises.

    `message`: an array of segments, one segment, or a CQ string.
    """
    if isinstance(message, dict):
        message = [message]
    if isinstance(message, str):
        # Codes may stand anywhere: cut well behind what is kept, so that reading stays cheap.
        message = message if "[CQ:" not in message else cq.read(message[: LONGEST * 8])
    text = cq.unescape(message) if isinstance(message, str) else "".join(_words(message))
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:LONGEST]


def _words(message: Any) -> Iterable[str]:
    for part in message[:_MOST] if isinstance(message, list) else ():
        if isinstance(part, str):
            yield part
        elif isinstance(part, tuple):
            yield _word(*part)
        elif isinstance(part, dict):
            yield _word(part.get("type"), part.get("data"))


def _word(kind: Any, data: Any) -> str:
    data = data if isinstance(data, dict) else {}
    if kind == "text":
        return str(data.get("text") or "")
    if kind == "at":
        return f"@{str(data.get('qq') or data.get('user_id') or '')[:64]} "
    return f"[{str(kind)[:32]}]"
