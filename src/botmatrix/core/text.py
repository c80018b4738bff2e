"""What a message says, taken out of the bot's own JSON: only asked for when a filter or a verb needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from botmatrix.onebot import cq

LONGEST: Final = 16_384
"""Characters that are judged; platforms allow a few thousand."""
_MOST_VALUES: Final = 10_000
_SILENT: Final = frozenset({"at", "dice", "face", "file", "image", "poke", "record", "reply", "rps", "shake", "video"})
"""Segments that say nothing in words: their values are ids and addresses of the platform."""


class _Segment(msgspec.Struct, gc=False):
    type: str
    data: dict[str, Any] | None = None


class _Said(msgspec.Struct, gc=False):
    message: list[_Segment] | str | None = None
    raw_message: str | None = None


class _Loose(msgspec.Struct):
    message: Any = None
    raw_message: Any = None


class Said(msgspec.Struct, frozen=True):
    """`text`: the text segments joined, whatever stands between them. `rest`: words of cards and shares.

    `mentions`: ids that are addressed with an @.
    """

    text: str
    rest: str = ""
    mentions: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """All that is to be judged, at most `LONGEST` characters."""
        return (f"{self.text}\n{self.rest}" if self.rest else self.text)[:LONGEST]


_strict: Final = msgspec.json.Decoder(_Said).decode
_loose: Final = msgspec.json.Decoder(_Loose).decode
_any: Final = msgspec.json.Decoder().decode


def said(raw: bytes) -> Said:
    """What the event says; nothing when it says nothing readable. Never raises."""
    try:
        event = _strict(raw)
    except (msgspec.DecodeError, RecursionError):
        return _said_loosely(raw)
    message = event.message
    if isinstance(message, list):
        return _of([(part.type, part.data or {}) for part in message])
    return _of(_pairs(message if message is not None else event.raw_message))


def _said_loosely(raw: bytes) -> Said:
    try:
        event = _loose(raw)
    except (msgspec.DecodeError, RecursionError):
        return Said("")
    return _of(_pairs(event.message if event.message is not None else event.raw_message))


def _pairs(message: Any) -> Iterable[tuple[str, dict[str, Any]]]:
    """Type and data of each segment, of whatever a bot may send."""
    if isinstance(message, str):
        return cq.read(message)
    if isinstance(message, list):
        return [pair for part in message if (pair := _pair(part)) is not None]
    single = _pair(message)
    return [] if single is None else [single]


def _pair(part: Any) -> tuple[str, dict[str, Any]] | None:
    if isinstance(part, str):
        return "text", {"text": part}
    if isinstance(part, dict) and isinstance(part.get("type"), str):
        data = part.get("data")
        return part["type"], data if isinstance(data, dict) else {}
    return None


def _of(pairs: Iterable[tuple[str, dict[str, Any]]]) -> Said:
    text: list[str] = []
    rest: list[str] = []
    mentions: list[str] = []
    for kind, data in pairs:
        if kind == "text":
            text.append(str(data.get("text") or ""))
        elif kind == "at":
            mentions.append(str(data.get("qq") or data.get("user_id") or ""))
        elif kind not in _SILENT:
            rest += _words(data)
    return Said("".join(text), "\n".join(rest), tuple(mentions))


def _words(value: Any) -> Iterator[str]:
    """Every text inside a value; a text that is JSON itself (a card) is opened too."""
    waiting = [(value, 0)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        value, depth = waiting.pop()
        if isinstance(value, str):
            card = _card(value) if depth < 3 else None
            if card is None:
                yield value
            else:
                waiting.append((card, depth + 1))
        elif isinstance(value, dict):
            waiting += [(one, depth) for one in reversed(value.values())]
        elif isinstance(value, list):
            waiting += [(one, depth) for one in reversed(value)]


def _card(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return None
    try:
        return _any(text)
    except (msgspec.DecodeError, RecursionError):
        return None
